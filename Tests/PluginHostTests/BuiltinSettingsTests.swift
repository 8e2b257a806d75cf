// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
import Logging
import Testing

@testable import PluginHost

struct BuiltinSettingsTests {
    private static let id = "grafana-testdata-datasource"

    @Test func disablePluginsLeavesABuiltInOut() async {
        var loading = LoadingSettings()
        loading.disabledIDs = [Self.id]

        #expect(await Self.loadedIDs(loading).isEmpty)
    }

    @Test func asExternalLeavesABuiltInOut() async {
        var loading = LoadingSettings()
        loading.coreIDsAsExternal = [Self.id]

        #expect(await Self.loadedIDs(loading).isEmpty)
    }

    @Test func aBuiltInLoadsWithoutSuchASetting() async {
        #expect(await Self.loadedIDs(LoadingSettings()) == [Self.id])
    }

    private static func loadedIDs(_ loading: LoadingSettings) async -> [String] {
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(loading: loading, serverVersion: "12.4.0"),
            builtins: [
                BuiltinPlugin(descriptorJSON: TestDataPlugin.descriptorJSON, entry: { testdata_entry($0) })
            ],
            keyValues: MemoryKeyValues(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await platform.load()
        let ids = platform.plugins.map(\.id)
        await platform.shutDown()
        return ids
    }
}
