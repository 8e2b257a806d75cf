// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import PluginHost

/// Calls to a Go plugin over gRPC, as the Go host of `Tests/Peers/go-plugin` measures them.
struct GoPluginBench {
    /// A plugins folder that holds the peer; the frames of all sizes are written here, as `frame-ROWS.arrow`.
    let folder: String

    private static let id = "peer-datasource"
    private static let calls = 4_000

    func run() async throws {
        for rows in FrameBench.sizes {
            let times = (0..<rows).map { Timestamp(milliseconds: 1_700_000_000_000 + $0 * 1_000) }
            let values = (0..<rows).map { Double($0) * 0.5 }
            let frame = DataFrame(name: "bench", fields: [Field("time", times), Field("value", values)])
            try Data(frame.arrowFile()).write(to: URL(filePath: file(rows)))
        }
        let files = FrameBench.sizes.map(file).joined(separator: ":")
        try await with(GoPluginSettings(environments: [Self.id: ["GF_PLUGIN_FRAME": files]]), measureCalls)
        try await with(GoPluginSettings(), measureStarts)
    }

    private func with(_ settings: GoPluginSettings, _ body: (PluginPlatform) async throws -> Void) async throws {
        var loading = LoadingSettings()
        loading.isDevelopment = true
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(
                pluginsFolder: folder, loading: loading, serverVersion: "13.0.0", goPlugins: settings),
            builtins: [], keyValues: MemoryKeyValues(), logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        )
        await platform.load()
        for refusal in platform.refusals { complain("bench: \(refusal)") }
        try await body(platform)
        await platform.shutDown()
    }

    private func file(_ rows: Int64) -> String { "\(folder)/frame-\(rows).arrow" }

    private func measureCalls(_ platform: PluginPlatform) async throws {
        _ = try await load(platform, #"{"do":"echo"}"#, calls: 500, inFlight: 1)
        for inFlight in [1, 4, 16, 64] {
            let began = Timing.now
            let times = try await load(platform, #"{"do":"echo"}"#, calls: Self.calls, inFlight: inFlight).sorted()
            let elapsed = Timing.now - began
            report("go-call-\(inFlight).p50.nanoseconds", times[times.count / 2])
            report("go-call-\(inFlight).p99.nanoseconds", times[times.count * 99 / 100])
            report("go-call-\(inFlight).per-second", Double(times.count) / elapsed * 1e9)
        }
        for rows in FrameBench.sizes {
            let times = try await load(
                platform, #"{"do":"file","path":"\#(file(rows))"}"#, calls: 21, inFlight: 1
            ).sorted()
            report("go-rows-\(rows).nanoseconds", times[times.count / 2])
        }
        try await measureStream(platform)
    }

    private func measureStarts(_ platform: PluginPlatform) async throws {
        var starts = Timing()
        for _ in 0..<11 {
            let began = Timing.now
            try await platform.reload(id: Self.id)
            _ = try await Self.ask(platform, #"{"do":"echo"}"#)
            starts.add(since: began)
        }
        report("go-start.nanoseconds", starts.median)
    }

    private func measureStream(_ platform: PluginPlatform) async throws {
        let source = DataSourceConfiguration(
            settings: DataSourceInstanceSettings(uid: "bench", name: "bench", pluginID: Self.id), version: 1)
        let began = Timing.now
        var packets: Int64 = 0
        for await event in try await platform.runStream(StreamRequest(path: "p"), of: source, facts: CallFacts()) {
            if case .completed(let failure?) = event { throw failure }
            guard case .bytes = event else { continue }
            packets += 1
            if packets == FrameBench.packets { break }
        }
        precondition(packets == FrameBench.packets, "the stream ended after \(packets) packets")
        report("go-packets.per-second", Double(packets) / (Timing.now - began) * 1e9)
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
            switch event {
            case .completed(let failure?): throw failure
            case .failed(let failure, _): throw failure
            default: break
            }
        }
        return Timing.now - began
    }
}
