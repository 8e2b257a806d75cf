// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import PluginHost

struct LoadingRefusalTests {
    @Test func theDescriptionHasSubjectFactBothValuesRemedyAndCode() {
        let refusal = PluginRefusal(
            .libraryWrongArchitecture, pluginID: "acme-sine-datasource", folder: "/p/acme", found: "aarch64",
            expected: "x86-64", message: "the library is built for another processor", remedy: "install the other build"
        )

        #expect(
            refusal.description == """
                plugin 'acme-sine-datasource': the library is built for another processor (found: aarch64; \
                expected: x86-64); install the other build [library-wrong-architecture]
                """)
        #expect(refusal.documentation == "docs/troubleshooting.md#library-wrong-architecture")
    }

    @Test func withoutAnIDTheFolderIsTheSubject() {
        let refusal = PluginRefusal(
            .pluginJSONMalformed, pluginID: nil, folder: "/p/acme", message: "plugin.json is not JSON", remedy: "fix it"
        )

        #expect(
            refusal.description
                == "plugin folder '/p/acme': plugin.json is not JSON; fix it [plugin-json-malformed]")
        #expect(refusal.grafanaErrorCode == nil)
        #expect(refusal.isFault)
    }

    @Test func everyCodeHasItsParagraphInTheDocuments() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try String(contentsOfFile: "/" + root + "/docs/troubleshooting.md", encoding: .utf8)
        let headings = text.split(separator: "\n").filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) }
        let codes = PluginRefusal.Code.all.map(\.rawValue)

        #expect(Set(codes).count == codes.count)
        for code in codes { #expect(headings.contains(code), "docs/troubleshooting.md lacks ### \(code)") }
    }
}
