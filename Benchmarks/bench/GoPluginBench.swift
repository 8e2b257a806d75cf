// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import PluginHost

/// Calls to a Go plugin over gRPC, as the Go host of `Tests/Peers/go-plugin` measures them.
struct GoPluginBench {
    /// A plugins folder that holds the peer; `frame.arrow` beside the plugin is written here.
    let folder: String

    private static let id = "peer-datasource"
    private static let calls = 4_000
    private static let rows = 1_000_000

    func run() async throws {
        let file = folder + "/frame.arrow"
        let times = (0..<Self.rows).map { Timestamp(milliseconds: 1_700_000_000_000 + Int64($0) * 1_000) }
        let values = (0..<Self.rows).map { Double($0) * 0.5 }
        let frame = DataFrame(name: "bench", fields: [Field("time", times), Field("value", values)])
        try Data(frame.arrowFile()).write(to: URL(filePath: file))
        var loading = LoadingSettings()
        loading.isDevelopment = true
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(
                pluginsFolder: folder, loading: loading, serverVersion: "13.0.0",
                goPlugins: GoPluginSettings(environments: [Self.id: ["GF_PLUGIN_FRAME": file]])),
            builtins: [], keyValues: MemoryKeyValues(), logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        )
        await platform.load()
        for refusal in platform.refusals { complain("bench: \(refusal)") }
        try await measure(platform, file)
        await platform.shutDown()
    }

    private func measure(_ platform: PluginPlatform, _ file: String) async throws {
        _ = try await load(platform, #"{"do":"echo"}"#, calls: 500, inFlight: 1)
        for inFlight in [1, 4, 16, 64] {
            let began = Timing.now
            let times = try await load(platform, #"{"do":"echo"}"#, calls: Self.calls, inFlight: inFlight).sorted()
            let elapsed = Timing.now - began
            report("go-call-\(inFlight).p50.nanoseconds", times[times.count / 2])
            report("go-call-\(inFlight).p99.nanoseconds", times[times.count * 99 / 100])
            report("go-call-\(inFlight).per-second", Double(times.count) / elapsed * 1e9)
        }
        let rows = try await load(platform, #"{"do":"file","path":"\#(file)"}"#, calls: 21, inFlight: 1).sorted()
        report("go-rows.nanoseconds", rows[rows.count / 2])
        var starts = Timing()
        for _ in 0..<11 {
            let began = Timing.now
            try await platform.reload(id: Self.id)
            _ = try await Self.ask(platform, #"{"do":"echo"}"#)
            starts.add(since: began)
        }
        report("go-start.nanoseconds", starts.median)
    }

    /// The times of so many calls, so many of them at once.
    private func load(
        _ platform: PluginPlatform, _ json: String, calls: Int, inFlight: Int
    ) async throws -> [Double] {
        try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<inFlight {
                group.addTask {
                    var times: [Double] = []
                    for _ in 0..<(calls / inFlight) { times.append(try await Self.ask(platform, json)) }
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    /// Nanoseconds until the answer is read to its end.
    private static func ask(_ platform: PluginPlatform, _ json: String) async throws -> Double {
        let source = DataSourceConfiguration(
            settings: DataSourceInstanceSettings(uid: "bench", name: "bench", pluginID: id), version: 1)
        let query = DataQuery(
            refID: "A", json: JSONText(json), model: .object([:]), from: Timestamp(milliseconds: 0),
            to: Timestamp(milliseconds: 3_600_000), interval: .seconds(1), maxDataPoints: 100)
        let began = Timing.now
        for await event in try await platform.queryData([query], of: source, facts: CallFacts()) {
            if case .completed(let failure?) = event { throw failure }
        }
        return Timing.now - began
    }
}
