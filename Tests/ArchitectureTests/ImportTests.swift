// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Imports go downward only; SwiftPM's own check lets undeclared imports through.
struct ImportTests {
    /// One folder of sources and what its files may import of ours.
    struct Target: CustomTestStringConvertible, Sendable {
        var folder: String
        var allowed: Set<String>

        var testDescription: String { folder }
    }

    static let targets = [
        Target(folder: "Sources/PluginABI", allowed: ["CPluginABI"]),
        Target(folder: "Sources/Settings", allowed: []),
        Target(folder: "Sources/Signing", allowed: ["CRNP", "CJansson"]),
        // As a plugin from elsewhere: PluginABI, the C types of its entry, and C libraries of the system.
        Target(
            folder: "Sources/BuiltinDatasources",
            allowed: ["CPluginABI", "PluginABI", "CADBC", "CSQLite", "CPostgreSQL", "CMariaDB"]),
        Target(folder: "Sources/Processes", allowed: ["CLinux"]),
        Target(folder: "Sources/GoPlugin", allowed: ["PluginABI", "Processes", "CLinux"]),
        Target(
            folder: "Sources/Host",
            allowed: [
                "CPluginABI", "PluginABI", "Processes", "GoPlugin", "CJansson", "CLinux", "CQuarantine",
                "CRunnerProtocol", "Signing",
            ]),
        Target(
            folder: "Sources/PluginServing", allowed: ["PluginABI", "PluginHost", "Processes", "GoPlugin", "CLinux"]),
        Target(folder: "Sources/PluginTesting", allowed: ["PluginABI", "PluginHost"]),
        Target(folder: "Sources/Storage", allowed: ["CSQLite", "CLinux"]),
        Target(folder: "Sources/Expressions", allowed: ["PluginABI", "CArrowTable", "CSQLite"]),
        Target(folder: "Sources/Catalog", allowed: ["PluginABI", "Signing", "Storage", "CZip", "CLinux"]),
        Target(
            folder: "Sources/Server",
            allowed: [
                "PluginABI", "Settings", "PluginHost", "Signing", "Storage", "Expressions", "Catalog", "CQuarantine",
                "CZlib",
            ]),
        Target(
            folder: "Sources/Commands",
            allowed: [
                "CLinux", "CZip", "PluginABI", "Settings", "Signing", "BuiltinDatasources", "PluginHost", "Storage",
                "Catalog", "Server",
            ]),
        Target(folder: "Sources/grafana", allowed: ["Commands"]),
        Target(folder: "Sources/grafana-cli", allowed: ["Commands"]),
        Target(folder: "Sources/grafana-plugin", allowed: ["Commands"]),
        Target(folder: "Sources/grafana-plugin-go", allowed: ["PluginServing"]),
        Target(folder: "Sources/grafana-sign", allowed: ["Commands"]),
    ]

    /// Every module that this repository defines.
    static let ours: Set<String> = [
        "CPluginABI", "CADBC", "CJansson", "CMariaDB", "CPostgreSQL", "CRNP", "CSQLite", "CZip", "CZlib", "CLinux",
        "CArrowTable", "CQuarantine", "CRunnerProtocol", "PluginABI", "Processes", "GoPlugin", "Settings", "Signing",
        "BuiltinDatasources", "PluginHost", "PluginServing", "Storage",
        "Expressions", "Catalog", "Server", "Commands",
    ]

    static func imports(of path: String) throws -> [String] {
        try imports(inText: Repository.text(path))
    }

    static func imports(inText text: String) -> [String] {
        let attributes = #"(?:@\w+(?:\([^)]*\))?\s+)*"#
        let access = #"(?:(?:public|package|internal|fileprivate|private)\s+)?"#
        let kind = #"(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?"#
        let pattern = #"^[ \t]*\#(attributes)\#(access)import\s+\#(kind)(\w+)"#
        guard let regex = try? Regex(pattern, as: (Substring, Substring).self) else { return [] }
        return text.matches(of: regex.anchorsMatchLineEndings()).map { String($0.output.1) }
    }

    @Test(arguments: targets)
    func importsGoDownward(_ target: Target) throws {
        let files = Repository.files(in: target.folder, extensions: ["swift"])

        #expect(!files.isEmpty)
        for file in files {
            let forbidden = try Set(Self.imports(of: file)).intersection(Self.ours).subtracting(target.allowed)
            #expect(forbidden.isEmpty, "\(file) imports \(forbidden.sorted()); see docs/architecture.md")
        }
    }

    @Test func everyTargetHasARow() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Repository.root.appending(path: "Sources").path
        )
        .filter { !Repository.files(in: "Sources/\($0)", extensions: ["swift"]).isEmpty }

        #expect(Set(folders.map { "Sources/\($0)" }) == Set(Self.targets.map(\.folder)))
    }

    /// The host's side of a plugin and the plugin's both stay small and start fast.
    @Test func pluginABIImportsNoFoundation() throws {
        for file in Repository.files(in: "Sources/PluginABI", extensions: ["swift"]) {
            let found = try Self.imports(of: file).filter { $0.hasPrefix("Foundation") }
            #expect(found.isEmpty, "\(file) imports \(found)")
        }
    }

    @Test func everyFormOfImportIsRead() {
        let text = """
            import A
            public import B
            @testable import C
            @preconcurrency public import struct D.Inner
                internal import E
            // import F
            let text = "import G"
            """

        #expect(Self.imports(inText: text) == ["A", "B", "C", "D", "E"])
    }
}
