// SPDX-License-Identifier: Apache-2.0
import CBench
import Glibc
import Logging
import PluginABI
import PluginHost

/// Measures inside one process and prints `name value` lines for `Benchmarks/measure.py`.
///
/// Usage: `bench PLUGINS_FOLDER LIBRARY`, the folder with the plugin of `Benchmarks/plugin` and its library; or
/// `bench PLUGINS_FOLDER one-processor`, for the smallest calls to a process alone; or `bench PLUGINS_FOLDER idle`, for the
/// memory of many plugins; or `bench PLUGINS_FOLDER go-plugin`, the folder with the Go peer.
@main
enum Program {
    static let pluginID = "grafana-bench-datasource"

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else {
            complain("usage: bench PLUGINS_FOLDER LIBRARY")
            exit(2)
        }
        if arguments[2] == "go-plugin" { return try await GoPluginBench(folder: arguments[1]).run() }
        var loading = LoadingSettings()
        loading.isDevelopment = true
        if arguments[2] == "one-processor" {
            return try await run(.process, arguments[1], loading) {
                try await IsolatedBench(platform: $0).runCalls([1])
            }
        }
        if arguments[2] == "idle" {
            return try await run(.process, arguments[1], loading) { try await IsolatedBench(platform: $0).runIdle() }
        }
        try await run(.inProcess, arguments[1], loading) { platform in
            try await CallBench(platform: platform, library: arguments[2]).run()
            try await FrameBench(platform: platform).run()
        }
        try await run(.process, arguments[1], loading) { platform in
            try await IsolatedBench(platform: platform).run()
            try await FrameBench(platform: platform).runIsolated()
        }
        try await run(.process, arguments[1], loading, RunnerSettings(idleTime: .milliseconds(1))) { platform in
            try await IsolatedBench(platform: platform).runColdCalls()
        }
        try ExpressionBench().run()
        try await SignatureBench(folder: arguments[1] + "/../signature").run()
    }

    private static func run(
        _ level: IsolationLevel, _ folder: String, _ loading: LoadingSettings,
        _ runner: RunnerSettings = RunnerSettings(), _ body: @Sendable (PluginPlatform) async throws -> Void
    ) async throws {
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(
                pluginsFolder: folder, loading: loading, serverVersion: "13.0.0",
                isolation: IsolationPolicy(common: level), runner: runner),
            builtins: [], keyValues: MemoryKeyValues(), logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        )
        await platform.load()
        for refusal in platform.refusals { complain("bench: \(refusal)") }
        try await body(platform)
        await platform.shutDown()
    }
}

/// What was measured several times.
///
/// What runs on one thread is measured by the processor time of that thread, which leaves out when others run on it.
struct Timing {
    private(set) var nanoseconds: [Double] = []

    var median: Double { nanoseconds.isEmpty ? 0 : nanoseconds.sorted()[nanoseconds.count / 2] }

    mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
        let began = Self.read(CLOCK_THREAD_CPUTIME_ID)
        let result = try body()
        nanoseconds.append(Self.read(CLOCK_THREAD_CPUTIME_ID) - began)
        return result
    }

    mutating func add(since began: Double) { nanoseconds.append(Self.now - began) }

    /// The monotonic clock in nanoseconds.
    static var now: Double { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}

/// Prints one figure.
func report(_ name: String, _ value: Double) {
    print(name, value)
}

/// Writes a line to standard error.
func complain(_ text: String) {
    let line = text + "\n"
    write(STDERR_FILENO, line, line.utf8.count)
}

/// The most memory of the process since a moment, beside what it had then.
struct PeakMemory {
    private let before: Int

    /// From now on.
    init() {
        // Memory that was freed before would serve unseen.
        cbench_trim()
        // The kernel forgets the highest mark so far.
        if let file = fopen("/proc/self/clear_refs", "w") {
            fputs("5", file)
            fclose(file)
        }
        before = ProcessMemory.kibibytes("VmRSS:", in: "/proc/self/status")
    }

    var bytesSince: Int { (ProcessMemory.kibibytes("VmHWM:", in: "/proc/self/status") - before) * 1024 }
}

/// What the kernel tells of a process's memory.
enum ProcessMemory {
    /// What several processes share counts in parts.
    static func proportionalBytes(of process: Int32) -> Int {
        kibibytes("Pss:", in: "/proc/\(process)/smaps_rollup") * 1024
    }

    static func kibibytes(_ key: String, in path: String) -> Int {
        guard let file = fopen(path, "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix(key) { return Int(text.split { !$0.isNumber }.first ?? "") ?? 0 }
        }
        return 0
    }
}
