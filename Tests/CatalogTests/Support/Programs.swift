// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport

@testable import Catalog

/// Runs of the built `grafana-cli`.
struct CLI: Sendable {
    let place: Workplace

    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var errors: String

        var json: JSONValue { (try? JSONValue(parsing: output)) ?? .null }
    }

    static func program(_ name: String = "grafana-cli") throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(filePath: tests).deletingLastPathComponent().appending(path: name).path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw RealServerError("no program at \(program); build it with swift build --build-tests")
        }
        return program
    }

    /// `plugins COMMAND…` on the folder and trust store of the test.
    func plugins(_ words: [String], environment: [String: String] = [:]) async throws -> Outcome {
        try await run(["plugins"] + words + ["--pluginsDir", place.plugins.path], environment: environment)
    }

    /// Runs the program to its end.
    func run(_ words: [String], environment: [String: String] = [:]) async throws -> Outcome {
        let (program, output, errors) = try start(words, environment: environment)
        let status = try await program.exitStatus(within: 60)
        return Outcome(
            status: status, output: (try? String(contentsOf: output, encoding: .utf8)) ?? "",
            errors: (try? String(contentsOf: errors, encoding: .utf8)) ?? "")
    }

    /// Starts the program; the files get what it prints.
    func start(
        _ words: [String], environment: [String: String] = [:], before: String = ""
    ) throws -> (program: LeashedProgram, output: URL, errors: URL) {
        let mark = UUID().uuidString
        let output = place.folder.appending(path: "output-\(mark)")
        let errors = place.folder.appending(path: "errors-\(mark)")
        let script = "\(before) exec \"$@\" >'\(output.path)' 2>'\(errors.path)'"
        var variables = ["GRAFANA_TRUST": place.trust.path, "SWIFT_BACKTRACE": "enable=no"]
        variables.merge(environment) { _, own in own }
        // The leash's shell lets what it starts ignore Ctrl-C, which the program would then respect.
        let program = try LeashedProgram(
            "env", ["--default-signal=INT", "bash", "-c", script, "bash", try Self.program()] + words,
            environment: variables, log: place.folder.appending(path: "shell-\(mark)"))
        return (program, output, errors)
    }
}

/// `Tests/Catalog/catalogue_server.py`.
struct CatalogueServer: Sendable {
    let server: RealServer
    let folder: URL

    var repo: String { "\(server.url)/api/plugins" }

    static func start(_ place: Workplace) async throws -> CatalogueServer {
        let folder = place.folder.appending(path: "served")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: folder.appending(path: "catalogue.json"))
        let port = try LoopbackSocket.freePort()
        let script = Workplace.repository.appending(path: "Tests/Catalog/catalogue_server.py").path
        let server = try RealServer(
            "python3", [script, "\(port)", folder.path], port: port, log: place.folder.appending(path: "server.log"))
        try await server.wait(for: "/requests")
        return CatalogueServer(server: server, folder: folder)
    }

    /// Publishes packages, newest first, each with a fault or none.
    func publish(_ packages: [(package: Package, facts: JSONObject)]) async throws {
        var list = (try? JSONValue(parsing: Data(contentsOf: folder.appending(path: "catalogue.json"))).object) ?? [:]
        for (package, facts) in packages {
            let name = "\(package.id)-\(package.version).zip"
            try await package.zip(folder.appending(path: name))
            var item: JSONObject = ["version": .string(package.version), "file": .string(name)]
            for (key, value) in facts { item[key] = value }
            let before = list[package.id]?.array ?? []
            list[package.id] = .array(before + [.object(item)])
        }
        try Data(JSONValue.object(list).encoded().utf8).write(to: folder.appending(path: "catalogue.json"))
    }

    /// The requests so far, with their headers.
    func requests() async throws -> [JSONValue] {
        try JSONValue(parsing: try await server.get("/requests").body).array ?? []
    }

    /// Waits until a download stands still.
    func waitForStall() async throws {
        try await server.wait(for: "/stalled") { body in
            ((try? JSONValue(parsing: body))?["stalled"]?.int ?? 0) > 0
        }
    }
}
