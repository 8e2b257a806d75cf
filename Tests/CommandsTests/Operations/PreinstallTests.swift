// SPDX-License-Identifier: Apache-2.0
import Catalog
import Settings
import Testing

@testable import Commands

/// Which plugins the settings and the environment want at the start.
struct PreinstallTests {
    private func list(_ overrides: [String] = [], _ variables: [String: String] = [:]) throws -> PreinstallList {
        try CatalogSettings.preinstall(TemporaryHome().settings(overrides)) { variables[$0] }
    }

    @Test func theVariableIsAPartOfTheSettings() throws {
        let variables = ["GF_INSTALL_PLUGINS": "acme-a-panel,acme-b-panel 1.2.0,https://a.example/c.zip;acme-c-panel"]

        let list = try list(["cfg:plugins.preinstall=acme-d-panel"], variables)
        let disabled = try self.list(["cfg:plugins.preinstall_disabled=true"], variables)

        #expect(list.blocking.map(\.id) == ["acme-a-panel", "acme-b-panel", "acme-c-panel"])
        #expect(list.inBackground.map(\.id) == ["acme-d-panel"])
        #expect(list["acme-b-panel"]?.version == "1.2.0")
        #expect(list.asByHand.isEmpty)
        #expect(disabled == PreinstallList())
    }

    @Test func forcedItIsWhatAnOperatorDoesByHand() throws {
        let variables = ["GF_INSTALL_PLUGINS": "acme-a-panel 1.0.0", "GF_INSTALL_PLUGINS_FORCE": "true"]

        let list = try list(["cfg:plugins.preinstall_disabled=true", "cfg:plugins.preinstall=acme-b-panel"], variables)
        let unforced = try self.list([], variables.merging(["GF_INSTALL_PLUGINS_FORCE": "false"]) { $1 })

        #expect(list.asByHand == [try #require(PreinstalledPlugin("acme-a-panel@1.0.0"))])
        #expect(list.blocking.isEmpty && list.inBackground.isEmpty)
        #expect(list["acme-a-panel"] == nil)
        #expect(unforced.asByHand.isEmpty && unforced.blocking.count == 1)
    }

    @Test func anEntryThatNamesNoPluginIsAnError() throws {
        #expect(throws: SettingsError.self) { try list([], ["GF_INSTALL_PLUGINS": "../acme"]) }
    }
}
