// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

/// A host of hashicorp's go-plugin, built from Debian's packages, that starts our program and does what a test says.
enum GoHost {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let driver: Task<String, any Error> = Task {
        let folder = root.appending(path: ".build/peers").path
        let script = root.appending(path: "Tests/Peers/go-plugin/build.sh").path
        let (status, output) = try await Tool.run("sh", [script, folder], seconds: 600)
        guard status == 0 else { throw RealServerError("the Go host was not built: \(output)") }
        return "\(folder)/go-plugin-driver"
    }

    /// The program that serves, which lies beside the test bundle.
    static func program() throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(filePath: tests).deletingLastPathComponent().appending(path: "grafana-plugin-go").path
        try #require(
            FileManager.default.isExecutableFile(atPath: path), "\(path) is missing; swift build --build-tests")
        return path
    }

    static func example(_ name: String) -> String { root.appending(path: ".build/examples/\(name)").path }
    static let testData = root.appending(path: ".build/builtin-plugins/testdata").path

    /// A host that was started with its steps, and a folder of its own for the plugin's socket; both end with the test.
    final class Run {
        let program: LeashedProgram
        let folder: URL

        init(_ program: LeashedProgram, _ folder: URL) {
            self.program = program
            self.folder = folder
        }

        deinit {
            program.end()
            try? FileManager.default.removeItem(at: folder)
        }

        /// The sockets that lie in the folder.
        var sockets: [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter {
                $0.hasPrefix("plugin")
            }
        }

        /// What was answered so far.
        var results: [JSONValue] {
            program.output.split(separator: "\n").compactMap { try? JSONValue(parsing: String($0)) }
        }
    }

    /// Starts a host.
    static func start(
        _ steps: [JSONValue], plugin: String, options: [String] = [], usesTLS: Bool = false,
        program: String? = nil
    ) async throws -> Run {
        // Short: the path of a socket has at most 107 bytes.
        let folder = URL(filePath: "/tmp/gf-\(UInt32.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "steps")
        try Data(steps.map { $0.encoded() + "\n" }.joined().utf8).write(to: file)
        let arguments =
            (usesTLS ? ["-mtls"] : []) + [file.path, try program ?? GoHost.program()] + options
            + (plugin.isEmpty ? [] : [plugin])
        let program = try LeashedProgram(
            try await driver.value, arguments,
            environment: ["PLUGIN_UNIX_SOCKET_DIR": folder.path, "SWIFT_BACKTRACE": "enable=no"],
            log: folder.appending(path: "log"))
        return Run(program, folder)
    }

    /// The answer to each step, after that to the start.
    static func run(
        _ steps: [JSONValue], plugin: String, options: [String] = [], usesTLS: Bool = false, program: String? = nil,
        endsWell: Bool = true
    ) async throws -> [JSONValue] {
        let run = try await start(steps, plugin: plugin, options: options, usesTLS: usesTLS, program: program)
        let status = try await run.program.exitStatus(within: 120)
        let results = run.results
        #expect(status == 0 || results.count == 1, "\(run.program.lastWords)")
        try #require(results.count == steps.count + 1 || status == 2, "\(run.program.lastWords)")
        // Of a process that crashes nobody removes it; Go's plugins are the same.
        #expect(!endsWell || run.sockets.isEmpty)
        return results
    }

    // MARK: Steps

    static func context(
        _ id: String, updated: Int64 = 1_000, secrets: JSONObject = [:], json: JSONValue = [:]
    ) -> JSONValue {
        [
            "orgId": 1, "pluginId": .string(id),
            "user": ["login": "ada", "name": "Ada", "email": "a@b.c", "role": "Editor"],
            "dataSourceInstanceSettings": [
                "id": 7, "uid": "u", "name": "N", "jsonData": .string(base64(json.encoded())),
                "lastUpdatedMS": .integer(updated), "decryptedSecureJsonData": .object(secrets),
            ],
        ]
    }

    static func call(_ method: String, _ message: JSONValue, _ options: JSONObject = [:]) -> JSONValue {
        var step = options
        step["call"] = .string("/pluginv2.\(method)")
        step["message"] = message
        return .object(step)
    }

    /// Queries over 100 seconds, a point a second, unless told otherwise.
    static func query(
        _ context: JSONValue, _ models: [(refID: String, model: JSONValue)], to: Int64 = 1_100_000,
        interval: Int64 = 1_000, points: Int64 = 100, format: String = "ARROW", method: String = "Data/QueryData",
        _ options: JSONObject = [:]
    ) -> JSONValue {
        let queries = models.map { refID, model -> JSONValue in
            [
                "refId": .string(refID), "json": .string(base64(model.encoded())), "maxDataPoints": .integer(points),
                "intervalMS": .integer(interval), "timeRange": ["fromEpochMS": 1_000_000, "toEpochMS": .integer(to)],
            ]
        }
        return call(
            method, ["pluginContext": context, "queries": .array(queries), "format": .string(format)], options)
    }

    static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}

extension JSONValue {
    /// The bytes of a field of protobuf's JSON.
    var bytes: [UInt8] { string.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? [] }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The frames of an answer to one query.
    var frames: [DataFrame] {
        get throws { try (self["frames"]?.array ?? []).map { try DataFrame(arrow: $0.bytes) } }
    }

    /// The status code of gRPC that a call ended with.
    var code: Int? { self["code"]?.int }

    /// The first message of an answer.
    var answer: JSONValue? { self["answers"]?[0] }

    func response(_ refID: String) -> JSONValue? { answer?["responses"]?[refID] }
}
