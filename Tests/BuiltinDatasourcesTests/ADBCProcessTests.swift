// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import Testing

@testable import BuiltinDatasources

/// The ADBC data source as the server runs it: a library of its own in a process of its own.
///
/// `packaging/make-builtin-plugins.sh` makes the library.
struct ADBCProcessTests {
    /// Runs the body with a data source of the library.
    private func withSource<Result>(
        _ driver: String, _ jsonData: JSONObject = [:], isolation: IsolationPolicy = IsolationPolicy(),
        limits: CallLimits = CallLimits(), permitted: [String] = [], _ body: (SQLSource) async throws -> Result
    ) async throws -> Result {
        let library = BuiltinLibraryTests.folder.appending(path: "adbc")
        try #require(
            FileManager.default.fileExists(atPath: library.path), "run packaging/make-builtin-plugins.sh first")
        let folder = FileManager.default.temporaryDirectory.appending(path: "core-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "adbc"), withDestinationURL: library)
        var runner = RunnerSettings()
        runner.permittedPaths = [ADBCSource.id: permitted]
        let configuration = PlatformConfiguration(
            coreFolder: folder.path, serverVersion: "12.4.0", limits: limits, isolation: isolation, runner: runner,
            pluginSettings: [ADBCSource.id: ["drivers": try ADBCTestDriver.list()]])
        var settings: JSONObject = ["driver": .string(driver)]
        for (key, value) in jsonData { settings[key] = value }
        return try await SQLSource.use(
            nil, ADBCSource.id, jsonData: .object(settings), configuration: configuration
        ) { source in
            try #require(source.platform.plugin(id: ADBCSource.id) != nil, "\(source.platform.refusals)")
            return try await body(source)
        }
    }

    @Test func runsInAProcessOfItsOwnByDefault() async throws {
        try await withSource("duckdb") { source async throws in
            let answer = try await source.query(ADBCSource.table("SELECT range AS x FROM range(200000)"))
            let plugin = source.platform.plugin(id: ADBCSource.id)

            #expect(plugin?.level == .process)
            #expect(plugin?.signature.status == .internal)
            #expect((plugin?.process?.processID ?? 0) > 0)
            #expect(answer.error == nil)
            #expect(answer.frame.rowCount == 200_000)
            #expect(answer.frame.fields.first?.column[199_999, as: Int64.self] == 199_999)
        }
    }

    @Test(arguments: [
        (IsolationPolicy(common: .inProcess), IsolationLevel.process),
        (IsolationPolicy(common: .sandbox), .sandbox),
        (IsolationPolicy(levels: [ADBCSource.id: .inProcess]), .inProcess),
    ])
    func onlyItsOwnSettingBringsItNearer(isolation: IsolationPolicy, level: IsolationLevel) async throws {
        try await withSource("sqlite", isolation: isolation) { source async throws in
            #expect(source.platform.plugin(id: ADBCSource.id)?.level == level)
        }
    }

    @Test func sandboxReadsWhatTheOperatorPermits() async throws {
        let sandbox = IsolationPolicy(levels: [ADBCSource.id: .sandbox])
        let path = try ADBCTestDriver.sqlite()
        try await withSource("sqlite", isolation: sandbox, permitted: [path]) { source async throws in
            let answer = try await source.query(ADBCSource.table("SELECT 1 AS x"))

            #expect(answer.error == nil)
            #expect(answer.column("x") == "[1]")
        }
    }

    @Test func sandboxReadsNothingElse() async throws {
        let sandbox = IsolationPolicy(levels: [ADBCSource.id: .sandbox])
        try await withSource("sqlite", isolation: sandbox) { source async throws in
            let plugin = source.platform.plugin(id: ADBCSource.id)
            try #require(plugin?.process?.enforced.contains("files") == true, "the kernel has no Landlock")

            let answer = try await source.query(ADBCSource.table("SELECT 1 AS x"))

            #expect(answer.error?.message.contains("could not be loaded") == true)
        }
    }

    @Test func crashOfADriverEndsItsQueryAlone() async throws {
        try await withSource("START_GOOD") { source async throws in
            let before = try await source.query(ADBCSource.table("SELECT 1"))

            let crashed = try await source.query(ADBCSource.table("SELECT crash"))
            let after = try await source.query(ADBCSource.table("SELECT 1"))

            #expect(before.column("x") == "[1]")
            #expect(crashed.error?.code == .crashed)
            #expect(after.error == nil)
            #expect(after.column("x") == "[1]")
        }
    }

    @Test func deafDriverIsEndedWithItsProcess() async throws {
        var limits = CallLimits()
        limits.grace = .milliseconds(300)
        try await withSource("START_GOOD", limits: limits) { source async throws in
            let first = try await source.query(ADBCSource.table("SELECT 1"))
            func plugin() throws -> PluginInfo { try #require(source.platform.plugin(id: ADBCSource.id)) }
            let process = try plugin().process?.processID
            let mark = FileManager.default.temporaryDirectory.appending(path: "deaf-\(UUID().uuidString)").path
            defer { try? FileManager.default.removeItem(atPath: mark) }
            let deaf = Task { try await source.query(ADBCSource.table("SELECT deaf \(mark)")) }
            let end = ContinuousClock.now + .seconds(30)
            while !FileManager.default.fileExists(atPath: mark), ContinuousClock.now < end { await Task.yield() }

            deaf.cancel()
            _ = try? await deaf.value
            while try plugin().process?.processID == process, ContinuousClock.now < end { await Task.yield() }
            let after = try await source.query(ADBCSource.table("SELECT 1"))

            #expect(first.error == nil)
            #expect(after.column("x") == "[1]")
            #expect(try plugin().process?.processID != process)
        }
    }

    @Test func lieOfADriverIsAnErrorAndNoCrash() async throws {
        try await withSource("START_GOOD") { source async throws in
            let answer = try await source.query(ADBCSource.table("SELECT lie about falling offsets"))

            #expect(answer.error?.code == .badData)
            #expect(answer.error?.message.contains("offset 1 follows 3") == true)
        }
    }
}
