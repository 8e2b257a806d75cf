// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// A folder with a plugin, a key and a trust folder, for runs of the built `grafana-sign`; removed with the value.
final class SignWorkbench: Sendable {
    let path: String
    /// When signatures are made: 2026-06-01.
    static let time = "1780272000"

    var plugin: String { "\(path)/plugin" }
    var trust: String { "\(path)/trust" }
    var key: String { "\(path)/acme" }

    init(keyOwner: String? = "Acme <plugins@acme.example>") throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "grafana-sign-\(UUID().uuidString)")
        path = folder.path
        try write("plugin/plugin.json", #"{"id": "acme-sine-datasource", "info": {"version": "1.2.0"}}"#)
        try write("plugin/module.js", "define([], function () {});\n")
        guard let keyOwner else { return }
        let made = try run(["keygen", "--no-passphrase", "--output", key, keyOwner])
        try #require(made.status == 0, "\(made.errors)")
        try run(["trust", "add", "--yes", "--trust", trust, "--plugin", "acme-*", "--name", "acme", "\(key).asc"])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ name: String, _ text: String) throws {
        let url = URL(filePath: "\(path)/\(name)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    @discardableResult
    func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
        try Program.run(
            arguments, of: "grafana-sign",
            environment: environment.merging(["SOURCE_DATE_EPOCH": Self.time]) { own, _ in own })
    }

    @discardableResult
    func sign(_ options: [String] = []) throws -> Program.Outcome {
        try run(["sign", plugin, "--key", "\(key).secret.asc", "--org", "acme", "--org-name", "Acme"] + options)
    }

    func verify(_ options: [String] = []) throws -> Program.Outcome {
        try run(["verify", plugin, "--trust", trust] + options)
    }

    /// The one result of `verify --json`.
    func verdict(_ options: [String] = []) throws -> [String: Any] {
        let outcome = try verify(["--json"] + options)
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any], "\(outcome)")
        #expect(document["schemaVersion"] as? Int == 1)
        #expect(document["ok"] as? Bool == (outcome.status == 0))
        return try #require((document["results"] as? [[String: Any]])?.first)
    }

    /// Writes an archive with a Python program that has `archive` and `zipfile`.
    func zip(_ script: String) throws -> String {
        let file = "\(path)/plugin.zip"
        let program = """
            import zipfile
            archive = zipfile.ZipFile(\(String(reflecting: file)), "w", zipfile.ZIP_DEFLATED)
            \(script)
            archive.close()
            """
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-W", "ignore", "-c", program]
        process.currentDirectoryURL = URL(filePath: path)
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return file
    }
}
