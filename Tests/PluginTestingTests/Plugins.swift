// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
import CPluginABI
import Foundation
import PluginABI
import PluginHost
import PluginTesting
import TestSupport
import Testing

/// The plugins of this repository in all their forms.
enum Plugins {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A built-in data source: linked in, and as the library that `make builtin-plugins` links.
    static func builtin(
        _ name: String, _ descriptorJSON: String,
        _ entry: @escaping @convention(c) (UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>?
    ) throws -> ConformancePlugin {
        let folder = root.appending(path: ".build/builtin-plugins/\(name)").path
        try #require(FileManager.default.fileExists(atPath: folder), "run make builtin-plugins")
        return try ConformancePlugin(
            linked: BuiltinPlugin(descriptorJSON: descriptorJSON, entry: entry), folder: folder)
    }

    static func testData() throws -> ConformancePlugin {
        try builtin("testdata", TestDataPlugin.descriptorJSON) { testdata_entry($0) }
    }

    static func prometheus() throws -> ConformancePlugin {
        try builtin("prometheus", PrometheusPlugin.descriptorJSON) { prometheus_entry($0) }
    }

    static func loki() throws -> ConformancePlugin {
        try builtin("loki", LokiPlugin.descriptorJSON) { loki_entry($0) }
    }

    /// SQLite whose library may read a folder in a sandbox: a copy in that folder, whose plugin.json says so.
    static func sqlite(reading folder: TemporaryFolder) throws -> ConformancePlugin {
        let original = try builtin("sqlite", SQLitePlugin.descriptorJSON) { sqlite_entry($0) }
        let copy = "\(folder.path)/plugin"
        try FileManager.default.copyItem(atPath: #require(original.folder), toPath: copy)
        let file = URL(filePath: "\(copy)/plugin.json")
        var descriptor = try JSONValue(parsing: String(contentsOf: file, encoding: .utf8))
        var members = try #require(descriptor.object)
        members["permissions"] = ["paths": [.string(folder.path)]]
        descriptor = .object(members)
        try descriptor.encoded().write(to: file, atomically: true, encoding: .utf8)
        return try ConformancePlugin(linked: original.linked, folder: copy)
    }

    static func postgreSQL() throws -> ConformancePlugin {
        try builtin("postgresql", PostgreSQLPlugin.descriptorJSON) { postgresql_entry($0) }
    }

    static func adbc() throws -> ConformancePlugin {
        try builtin("adbc", ADBCPlugin.descriptorJSON) { adbc_entry($0) }
    }

    static func mySQL() throws -> ConformancePlugin {
        try builtin("mysql", MySQLPlugin.descriptorJSON) { mysql_entry($0) }
    }

    /// The same plugin behind Grafana's protocol: `grafana-plugin-go` serves its library.
    ///
    /// - Parameter folder: gets a plugin whose program is a script that starts it.
    static func serving(_ plugin: ConformancePlugin, in folder: TemporaryFolder) throws -> ConformancePlugin {
        let program = try #require(programs.first { FileManager.default.isExecutableFile(atPath: $0) })
        let library = try #require(plugin.folder)
        let served = "\(folder.path)/served"
        try FileManager.default.createDirectory(atPath: served, withIntermediateDirectories: true)
        let json = try String(contentsOf: URL(filePath: "\(library)/plugin.json"), encoding: .utf8)
        var members = try #require(try JSONValue(parsing: json).object)
        for key in ["library", "abi", "isolation", "permissions"] { members[key] = nil }
        members["backend"] = true
        members["executable"] = "gpx_conformance"
        try JSONValue.object(members).encoded()
            .write(toFile: "\(served)/plugin.json", atomically: true, encoding: .utf8)
        let script = "\(served)/gpx_conformance_\(Platform.current)"
        try "#!/bin/sh\nexec '\(program)' '\(library)'\n".write(toFile: script, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        return try ConformancePlugin(linked: plugin.linked, folder: library, program: served)
    }

    /// Where the program may be: beside the bundle of the tests.
    private static let programs = CommandLine.arguments.filter { $0.hasSuffix(".xctest") }.map {
        URL(filePath: $0).deletingLastPathComponent().appending(path: "grafana-plugin-go").path
    }

    /// An example as `make examples` builds it.
    static func example(_ name: String) throws -> ConformancePlugin {
        let folder = root.appending(path: ".build/examples/\(name)").path
        try #require(FileManager.default.fileExists(atPath: folder), "run make examples")
        return try ConformancePlugin(folder: folder)
    }
}

/// Runs a kit, and says all that it found when it does not pass.
func expectConformance(_ kit: PluginConformance, sourceLocation: SourceLocation = #_sourceLocation) async {
    let report = await kit.run()
    #expect(report.isPassed, "\(report)", sourceLocation: sourceLocation)
}

/// A plugin that answers in one way at L1 and in another at L2: `Tests/Programs/differing.c`, compiled once a test run.
enum DifferingPlugin {
    static let id = "test-differing-datasource"

    private static let folder = Result { try compile() }

    /// A kit that compares L1 and L2.
    static func kit() throws -> PluginConformance {
        var kit = PluginConformance(try ConformancePlugin(folder: folder.get().path))
        kit.places = [.inProcess, .process]
        return kit
    }

    private static func compile() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let descriptor = """
            {"id": "\(id)", "type": "datasource", "name": "Differing", "backend": true, "library": "differing",
             "info": {"version": "1.0.0"}}
            """
        try descriptor.write(toFile: "\(folder.path)/plugin.json", atomically: true, encoding: .utf8)
        let compiler = Process()
        compiler.executableURL = URL(filePath: "/usr/bin/cc")
        compiler.arguments = [
            "-std=c11", "-O1", "-I\(Plugins.root.path)/include", "-fPIC", "-shared", "-fvisibility=hidden",
            "\(Plugins.root.path)/Tests/Programs/differing.c", "-o",
            "\(folder.path)/differing_\(Platform.current).so", "-lm",
        ]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "cc does not compile differing.c")
        return folder
    }
}

/// A folder that goes with its last reference, or with the process.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "kit-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
