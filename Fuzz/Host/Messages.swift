// SPDX-License-Identifier: Apache-2.0
internal import CRunnerProtocol
internal import Glibc
internal import Logging
internal import PluginABI
internal import Synchronization

/// Feeds messages to the server as a runner that lies would send them, in the middle of a call that never ends.
///
/// The process is `Tests/Programs/lying.c`, which does nothing here but be there; an arena of it is full of bytes. The
/// folder FUZZ_PROGRAMS has the program and a plugin.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    LyingServer.shared.take(UnsafeBufferPointer(start: bytes, count: count))
    return 0
}

/// Safety: used by the one thread of the fuzzer; what tasks touch has locks of its own.
private final class LyingServer: @unchecked Sendable {  // Safety: one thread; the rest has locks
    static let shared = LyingServer()
    private static let id = "test-prying-datasource"
    private static let types: [UInt32] = [
        RUNNER_ARENA_ADD, RUNNER_ARENA_DROP, RUNNER_HELLO_OK, RUNNER_FAILED, RUNNER_OPENED, RUNNER_CREATED,
        RUNNER_SCHEMA,
        RUNNER_BATCH, RUNNER_BYTES, RUNNER_HEAD, RUNNER_NOTICE, RUNNER_PROGRESS, RUNNER_ERROR, RUNNER_COMPLETE,
        RUNNER_REJECT, RUNNER_FAULT, RUNNER_WAIT, RUNNER_LOG, RUNNER_METRIC, RUNNER_HOST_CALL, RUNNER_DESTROYED,
        RUNNER_SCHEMA, RUNNER_BATCH, RUNNER_BATCH, RUNNER_HOST_CALL,
    ]
    private static let arenaBytes = 1 << 16

    private let platform: PluginPlatform

    private init() {
        guard let programs = getenv("FUZZ_PROGRAMS").map({ String(cString: $0) }) else {
            fatalError("set FUZZ_PROGRAMS")
        }
        var loading = LoadingSettings()
        loading.isDevelopment = true
        let runner = RunnerSettings(path: programs + "/lying-runner", idleTime: nil, sharedBytes: 1 << 20)
        // Without an end, so that only what is fuzzed ends a call, and in a sandbox, which reaches no network.
        let limits = CallLimits(time: nil, grace: .seconds(100_000), bytes: 1 << 50, window: 1 << 30)
        platform = PluginPlatform(
            configuration: PlatformConfiguration(
                pluginsFolder: programs + "/plugins", loading: loading, serverVersion: "12.4.0", limits: limits,
                isolation: IsolationPolicy(common: .sandbox), runner: runner),
            builtins: [], keyValues: NoStore(), logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() })
        wait { await $0.platform.load() }
    }

    private var plugin: IsolatedPlugin {
        let process = platform.registry[Self.id]?.generation?.library.runtime.process
        guard let plugin = process as? IsolatedPlugin else { fatalError("the plugin is not there") }
        return plugin
    }

    /// Runs a task to its end.
    private func wait(_ body: @escaping @Sendable (LyingServer) async -> Void) {
        let done = Done()
        Task {
            await body(self)
            done.isSet.store(true, ordering: .releasing)
        }
        while !done.isSet.load(ordering: .acquiring) { usleep(50) }
    }

    // MARK: A call

    /// The handle of a call that the process has, and the process; begins one when there is none.
    private func call() -> (handle: UInt64, process: RunnerProcess) {
        let plugin = plugin
        for round in 0... {
            let known = plugin.state.withLock { state -> (UInt64, RunnerProcess)? in
                guard let process = state.process, let handle = state.calls.keys.first else { return nil }
                return (handle, process)
            }
            if let known { return known }
            if round % 4_000 == 0 { begin() }
            usleep(50)
        }
        fatalError("it is never reached")
    }

    private func begin() {
        let query = DataQuery(
            refID: "A", json: JSONText(#"{"lie":"silent"}"#), model: ["lie": "silent"],
            from: Timestamp(milliseconds: 0), to: Timestamp(milliseconds: 1), interval: .seconds(1), maxDataPoints: 1)
        let settings = DataSourceInstanceSettings(uid: "uid", name: "uid", pluginID: Self.id)
        let source = DataSourceConfiguration(settings: settings, secrets: ["a": "secret"], version: 1)
        Task {
            guard let events = try? await platform.queryData([query], of: source, facts: CallFacts()) else { return }
            // Whatever is accepted is read in full.
            for await event in events {
                switch event {
                case .frame(_, let frame), .rows(_, let frame): precondition(!frame.json().isEmpty)
                default: continue
                }
            }
        }
    }

    private func addArena(to process: RunnerProcess) {
        guard process.arenas.byteCount == 0 else { return }
        let descriptor = runner_make_arena(UInt64(Self.arenaBytes))
        defer { close(descriptor) }
        guard let memory = runner_map_arena(descriptor, UInt64(Self.arenaBytes), 1) else { return }
        for index in 0..<Self.arenaBytes {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: index &* 7 >> 3), toByteOffset: index, as: UInt8.self)
        }
        munmap(memory, Self.arenaBytes)
        _ = process.arenas.add(1, size: UInt64(Self.arenaBytes), descriptor: descriptor)
    }

    // MARK: Messages

    func take(_ bytes: UnsafeBufferPointer<UInt8>) {
        var rest = bytes[...]
        while rest.count >= 4 {
            let (handle, process) = call()
            addArena(to: process)
            let head = Array(rest.prefix(4))
            rest = rest.dropFirst(4)
            let body = Array(rest.prefix(Int(head[2]) * 8))
            rest = rest.dropFirst(body.count)
            let type = Self.types[Int(head[0]) % Self.types.count]
            // Mostly of the call, sometimes of none or of another; OPENED and CREATED are of those that the server makes.
            let call = head[1] < 240 ? handle : head[1] < 248 ? 0 : UInt64(head[1]) << 16 | 1
            send(type, call, sequence: UInt32(head[3]), body, to: process)
        }
    }

    private func send(_ type: UInt32, _ call: UInt64, sequence: UInt32, _ body: [UInt8], to process: RunnerProcess) {
        let length = MemoryLayout<runner_header>.size + (body.count + 7) / 8 * 8
        // In memory of its exact size, aligned as a packet is.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 64)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        var header = runner_header()
        header.length = UInt32(length)
        header.type = type
        header.call = call
        header.sequence = sequence
        memory.storeBytes(of: header, as: runner_header.self)
        UnsafeMutableRawBufferPointer(rebasing: memory[MemoryLayout<runner_header>.size...]).copyBytes(from: body)
        if body.count >= 8 {
            memory.storeBytes(
                of: UInt32(body.count), toByteOffset: MemoryLayout<runner_header>.size, as: UInt32.self)
        }
        guard let message = RunnerMessage(UnsafeRawBufferPointer(memory)) else { fatalError("a whole message") }
        _ = plugin.received(message, descriptor: nil, from: process)
    }
}

private final class Done: Sendable {
    let isSet = Atomic<Bool>(false)
}

/// Keeps nothing.
private struct NoStore: KeyValueBackend {
    func get(scope: String, key: String) throws -> (value: [UInt8], version: Int64)? { nil }
    func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64 { 1 }
    func remove(scope: String, key: String) throws {}
    func keys(scope: String, prefix: String) throws -> [String] { [] }
    func totalBytes(scope: String) throws -> Int { 0 }
}
