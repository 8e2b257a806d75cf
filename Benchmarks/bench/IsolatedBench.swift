// SPDX-License-Identifier: Apache-2.0
import CBench
import Glibc
import PluginABI
import PluginHost

/// Small calls to a plugin in a process of its own, and what such a process costs.
struct IsolatedBench {
    let platform: PluginPlatform

    private static let calls = 20_000

    func run() async throws {
        try await runCalls([1, 4, 16, 64])
        try await runStarts()
    }

    /// Calls, and beside them what such a socket costs alone.
    func runCalls(_ crowds: [Int]) async throws {
        var trips = [Int64](repeating: 0, count: Self.calls)
        precondition(cbench_round_trips(trips.count, &trips) == 1, "a socket between two processes failed")
        trips.sort()
        report("round-trip.p50.nanoseconds", Double(trips[trips.count / 2]))
        report("round-trip.p99.nanoseconds", Double(trips[trips.count * 99 / 100]))
        let load = try await CallLoad(platform: platform, pluginID: Program.pluginID)
        _ = try load.run(Self.calls / 10, inFlight: 1)
        for inFlight in crowds {
            let began = Timing.now
            let times = try load.run(Self.calls, inFlight: inFlight).sorted()
            let elapsed = Timing.now - began
            report("isolated-call-\(inFlight).p50.nanoseconds", Double(times[times.count / 2]))
            report("isolated-call-\(inFlight).p99.nanoseconds", Double(times[times.count * 99 / 100]))
            report("isolated-call-\(inFlight).per-second", Double(Self.calls) / elapsed * 1e9)
        }
    }

    private var source: DataSourceConfiguration {
        DataSourceConfiguration(
            settings: .init(uid: "without-rows", name: "bench", pluginID: Program.pluginID), version: 1)
    }

    /// Calls to a plugin whose process was stopped because nobody called it: start, library, instance and call.
    func runColdCalls() async throws {
        var calls = Timing()
        for _ in 0..<31 {
            while platform.plugin(id: Program.pluginID)?.process?.state != .stopped { usleep(1_000) }
            let began = Timing.now
            _ = try await platform.checkHealth(of: source, facts: CallFacts())
            calls.add(since: began)
        }
        report("isolated-cold.nanoseconds", calls.median)
    }

    /// What the processes of all plugins take when nobody calls them, with a data source each.
    func runIdle() async throws {
        var bytes = 0
        for plugin in platform.plugins {
            let source = DataSourceConfiguration(
                settings: .init(uid: "without-rows", name: "bench", pluginID: plugin.id), version: 1)
            _ = try await platform.checkHealth(of: source, facts: CallFacts())
        }
        for plugin in platform.plugins {
            let process = ProcessMemory.proportionalBytes(of: platform.plugin(id: plugin.id)?.process?.processID ?? 0)
            precondition(process > 0, "\(plugin.id) has no process")
            bytes += process
        }
        report("idle-plugins.bytes", Double(bytes))
        report("idle-plugins.count", Double(platform.plugins.count))
    }

    /// A reload: the folder is read, the library verified, a process started beside the old one.
    private func runStarts() async throws {
        var starts = Timing()
        for _ in 0..<11 {
            let began = Timing.now
            try await platform.reload(id: Program.pluginID)
            starts.add(since: began)
            _ = try await platform.checkHealth(of: source, facts: CallFacts())
        }
        report("isolated-start.nanoseconds", starts.median)
    }
}
