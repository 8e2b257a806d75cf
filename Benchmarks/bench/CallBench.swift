// SPDX-License-Identifier: Apache-2.0
import CBench
import Glibc
import PluginABI
import PluginHost

/// The smallest call: the host's whole way to a plugin and back, beside the same function called through a pointer.
struct CallBench {
    let platform: PluginPlatform
    let library: String

    private static let rounds = 25
    private static let calls = 20_000

    func run() async throws {
        let probe = try await CallProbe(platform: platform, pluginID: Program.pluginID)
        var timing = Timing()
        _ = probe.run(Self.calls)
        for _ in 0..<Self.rounds {
            let answered = timing.measure { probe.run(Self.calls) }
            precondition(answered == Self.calls, "\(answered) of \(Self.calls) calls were answered")
        }
        report("call.nanoseconds", timing.median / Double(Self.calls))
        let before = cbench_allocations()
        _ = probe.run(Self.calls)
        report("call.allocations", Double(cbench_allocations() - before) / Double(Self.calls))
        try runBare()
        try await runPlatform()
    }

    private func runBare() throws {
        typealias Function = @convention(c) (UnsafeMutableRawPointer?, UInt32) -> Int32
        guard let handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), let symbol = dlsym(handle, "bench_bare") else {
            fatalError("\(library) has no bench_bare: \(String(cString: dlerror()))")
        }
        let function = unsafeBitCast(symbol, to: Function.self)
        let count = 5_000_000
        var sum = 0
        var timing = Timing()
        for _ in 0..<9 {
            timing.measure {
                for _ in 0..<count { sum &+= Int(function(handle, 1)) }
            }
        }
        precondition(sum == 9 * count)
        report("bare.nanoseconds", timing.median / Double(count))
    }

    /// With a task that waits for the answer, as the HTTP API has it.
    private func runPlatform() async throws {
        let source = DataSourceConfiguration(
            settings: .init(uid: "bench", name: "bench", pluginID: Program.pluginID), version: 1)
        var timing = Timing()
        let count = 2_000
        for _ in 0..<Self.rounds {
            let began = Timing.now
            for _ in 0..<count { _ = try await platform.checkHealth(of: source, facts: CallFacts()) }
            timing.add(since: began)
        }
        report("platform-call.nanoseconds", timing.median / Double(count))
    }
}
