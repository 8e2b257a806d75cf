// SPDX-License-Identifier: Apache-2.0

import PluginABI
import Testing

@testable import PluginHost

struct LoadingDescriptorTests {
    private func decode(_ text: String) throws -> PluginDescriptor {
        try PluginDescriptor(parsing: text)
    }

    @Test func allKeysOfALibraryPluginAreDecoded() throws {
        let plugin = try decode(
            """
            {"id": "acme-sine-datasource", "type": "datasource", "name": "Sine", "backend": true, "metrics": true,
             "library": "sine", "abi": 1, "isolation": "process", "aliasIDs": ["sine"], "unknown": {"a": 1},
             "permissions": {"hosts": ["*.example.org:443"], "paths": ["/srv"], "env": ["HOME"], "threads": 2},
             "info": {"version": "1.2.3", "logos": {"small": "a.svg"}, "author": {"name": "Acme"}},
             "includes": [{"type": "page", "name": "My Page!", "role": ""}]}
            """)

        #expect(plugin.library == "sine")
        #expect(plugin.abi == 1)
        #expect(plugin.isolation == .process)
        #expect(plugin.aliasIDs == ["sine"])
        #expect(plugin.permissions.hosts == ["*.example.org:443"])
        #expect(plugin.permissions.threads == 2)
        #expect(plugin.info.version == "1.2.3")
        #expect(plugin.includes.first?.role == "Viewer")
        #expect(plugin.includes.first?.slug == "my-page")
        #expect(plugin.dependencies.grafanaVersion == "*")
        #expect(plugin.json["unknown"]?["a"] == .integer(1))
    }

    @Test func nullAndOtherCaseAreTolerated() throws {
        let plugin = try decode(#"{"ID": "a", "Type": "panel", "info": null, "includes": null, "backend": null}"#)

        #expect(plugin.id == "a")
        #expect(plugin.type == .panel)
        #expect(!plugin.hasBackend)
    }

    @Test func placeholdersBecomeEmpty() throws {
        let plugin = try decode(
            #"{"id": "a", "type": "panel", "info": {"version": "%VERSION%", "updated": "%TODAY%"}}"#)

        #expect(plugin.info.version == "")
        #expect(plugin.info.updated == "")
    }

    @Test(arguments: [
        ("", PluginRefusal.Code.pluginJSONMalformed), ("[]", .pluginJSONMalformed), ("{", .pluginJSONMalformed),
        ("\u{FEFF}{}", .pluginJSONMalformed), ("{}", .pluginJSONInvalid),
        (#"{"id": "a"}"#, .pluginJSONInvalid), (#"{"id": "a", "type": "toaster"}"#, .pluginJSONInvalid),
        (#"{"id": 7, "type": "panel"}"#, .pluginJSONInvalid),
        (#"{"id": "../../etc", "type": "panel"}"#, .pluginIDInvalid),
        (#"{"id": ".", "type": "panel"}"#, .pluginIDInvalid),
        (#"{"id": "a b", "type": "panel"}"#, .pluginIDInvalid),
        (#"{"id": "a", "type": "panel", "backend": "yes"}"#, .pluginJSONInvalid),
        (#"{"id": "a", "type": "panel", "includes": [1]}"#, .pluginJSONInvalid),
        (#"{"id": "a", "type": "panel", "info": {"keywords": [1]}}"#, .pluginJSONInvalid),
        (#"{"id": "a", "type": "panel", "abi": -1}"#, .pluginJSONInvalid),
        (#"{"id": "a", "type": "panel", "abi": 1e300}"#, .pluginJSONInvalid),
        (#"{"id": "a", "type": "panel", "isolation": "none"}"#, .pluginJSONInvalid),
        (#"{"id": "a", "type": "panel", "permissions": []}"#, .pluginJSONInvalid),
    ])
    func badTextIsRefusedWithACode(text: String, code: PluginRefusal.Code) throws {
        let error = #expect(throws: DescriptorError.self) { try decode(text) }

        #expect(error?.code == code)
    }

    @Test func aWrongTypeNamesTheKey() throws {
        let error = #expect(throws: DescriptorError.self) {
            try decode(#"{"id": "a", "type": "panel", "info": {"version": 3}}"#)
        }

        #expect(error?.key == "info.version")
        #expect(error?.found == "a number")
        #expect(error?.expected == "a string")
    }

    @Test func idsAreSplitByCommasAndSpaces() {
        #expect(LoadingSettings.ids(" a, b  c,,\td ") == ["a", "b", "c", "d"])
    }
}
