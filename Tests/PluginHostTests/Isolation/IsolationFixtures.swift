// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Synchronization
import Testing

@testable import PluginHost

/// The programs of `Tests/Programs`, compiled once a test run.
enum TestProgram {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static let folder = Result { try LoadingFolder() }

    /// The plugin that tries what its query names.
    static let prying = Result {
        try compile("prying.c", ["-fPIC", "-shared", "-fvisibility=hidden"], as: "prying.so")
    }

    /// The plugin that is slow to let go.
    static let late = Result {
        try compile("late.c", ["-fPIC", "-shared", "-fvisibility=hidden"], as: "late.so")
    }

    /// The plugin that does the harm that its query names.
    static let crashing = Result {
        try compile(
            "crashing.c",
            ["-fPIC", "-shared", "-fvisibility=hidden", "-DPLUGIN_ID=\"\(CrashingPlugin.id)\"", "-lpthread"],
            as: "crashing.so")
    }

    /// The runner that lies.
    static let lying = Result {
        let sources = root.appending(path: "Sources/CRunnerProtocol").path
        return try compile(
            "lying.c", ["\(sources)/runner_protocol.c", "\(sources)/runner_socket.c"], as: "lying-runner")
    }

    private static func compile(_ source: String, _ options: [String], as name: String) throws -> String {
        let output = try folder.get()[name]
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/cc")
        compiler.arguments =
            ["-std=c11", "-O1", "-I\(root.path)/include", "-I\(root.path)/Sources/CRunnerProtocol/include"]
            + ["\(root.path)/Tests/Programs/\(source)"] + options + ["-o", output, "-lm"]
        try compiler.run()
        compiler.waitUntilExit()
        try #require(compiler.terminationStatus == 0, "cc does not compile \(source)")
        return output
    }
}

/// A plugin in a process of its own that tries what a test asks.
struct PryingPlugin: Sendable {
    static let id = "test-prying-datasource"
    let test: TestPlatform

    /// - Parameters:
    ///   - permissions: the object of plugin.json.
    ///   - runner: the program; nil: the real one.
    ///   - library: the plugin; nil: the one that pries.
    static func run(
        at level: IsolationLevel = .process, permissions: String = "{}", limits: CallLimits = CallLimits(),
        runner: RunnerSettings = RunnerSettings(), library: String? = nil,
        _ body: (PryingPlugin) async throws -> Void
    ) async throws {
        let library = try library ?? TestProgram.prying.get()
        let prepare: (LoadingFolder) throws -> Void = { folder in
            try folder.writePlugin(
                "prying", id: id,
                #""backend": true, "library": "prying", "permissions": \#(permissions), "info": {"version": "1.0.0"}"#)
            try FileManager.default.copyItem(atPath: library, toPath: folder["prying/prying_\(Platform.current).so"])
        }
        try await TestPlatform.run(limits: limits, level: level, runner: runner, prepare: prepare) { test in
            try #require(test.platform.plugin(id: id)?.state == .running, "\(test.platform.refusals)")
            try await body(PryingPlugin(test: test))
        }
    }

    var source: DataSourceConfiguration { test.source(Self.id) }
    var process: PluginProcessStatus? { test.platform.plugin(id: Self.id)?.process }

    func answer(_ query: JSONObject, of source: DataSourceConfiguration? = nil) async throws -> Answer {
        try await test.answer([test.query(JSONValue.object(query).encoded())], of: source ?? self.source)
    }

    /// The text that a try answered.
    func text(_ query: JSONObject, of source: DataSourceConfiguration? = nil) async throws -> String? {
        let answer = try await answer(query, of: source)
        return answer.frames.first?.fields.first?.column.string(at: 0)
    }

    /// The process that answers now.
    func processID() async throws -> Int32 {
        try #require(Int32(try await text(["try": "pid"]) ?? ""))
    }
}

/// The plugin of `crashing.c`.
struct CrashingPlugin: Sendable {
    static let id = "test-crashing-datasource"
    let test: TestPlatform

    static func run(
        at level: IsolationLevel, limits: CallLimits = CallLimits(), runner: RunnerSettings = RunnerSettings(),
        _ body: (CrashingPlugin) async throws -> Void
    ) async throws {
        let library = try TestProgram.crashing.get()
        let prepare: (LoadingFolder) throws -> Void = { folder in
            try folder.writePlugin(
                "crashing", id: id, #""backend": true, "library": "crashing", "info": {"version": "1.0.0"}"#)
            try FileManager.default.copyItem(
                atPath: library, toPath: folder["crashing/crashing_\(Platform.current).so"])
        }
        try await TestPlatform.run(limits: limits, level: level, runner: runner, prepare: prepare) { test in
            try #require(test.platform.plugin(id: id)?.state == .running, "\(test.platform.refusals)")
            try await body(CrashingPlugin(test: test))
        }
    }

    var info: PluginInfo? { test.platform.plugin(id: Self.id) }

    func answer(_ mode: String) async throws -> Answer {
        try await test.answer([test.query(#"{"try":"\#(mode)"}"#)], of: test.source(Self.id))
    }

    /// The text of an answer without harm.
    func isFine() async throws -> Bool {
        try await answer("nothing").frames.first?.fields.first?.column.string(at: 0) == "fine"
    }
}
