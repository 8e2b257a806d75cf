// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Logging
internal import PluginABI
internal import Synchronization

/// One opened library as its plugin sees the host: the `gf_host` it was given and everything behind it.
///
/// Safety: `host` is written in `init` and freed never, since the plugin may keep the pointer; `calls` is set once, before
/// the library is opened.
final class PluginRuntime: @unchecked Sendable {
    let id: String
    let services: HostServices
    let watchdog: Watchdog
    let buffers = BufferTable()
    /// The configurations that its instances were made with; no other plugin's handle names one of them.
    let configurations = HandleTable<DataSourceConfiguration>()
    let timers = HandleTable<CallTimer>()
    let exchanges = HandleTable<HTTPCall>()
    let sockets = HandleTable<WebSocketCall>()
    let creditGate = CreditGate()
    let metrics: PluginMetrics
    let counters = CallCounters()
    let host: UnsafePointer<gf_host>
    let isBlocking: Bool
    /// Whether the plugin's functions are called right where the host needs them.
    let isInline: Bool
    let level: IsolationLevel
    /// The process that the plugin's code runs in; nil when that is the server's own.
    let process: (any PluginProcess)?
    /// Whom a crash in the plugin's functions is due to; nil when that does not end the server.
    let suspect: SuspectPlugin?
    private let trouble = Mutex(RuntimeTrouble())
    /// The servers that the plugin may reach; nil: all.
    let permittedHosts: PermittedHosts?
    private(set) var calls: CallTable?

    private let neverBlocks: Bool
    /// The lane of a plugin that declared GLOBAL.
    private let libraryLane: Mutex<InvocationLane?>
    private let hasInstanceLanes: Bool
    private let pool: PluginThreadPool
    private let controlPool = PluginThreadPool(maxThreads: 1)
    private let logger: Logger
    private let logBudget = Mutex(LogBudget())

    init(
        id: String, traits: gf_plugin_desc, services: HostServices, backend: PluginBackend,
        permissions: PluginDescriptor.Permissions
    ) {
        self.id = id
        level = backend.level
        process = backend.process
        suspect = backend.suspect
        permittedHosts = backend.level == .sandbox ? PermittedHosts(patterns: permissions.hosts) : nil
        self.services = services
        watchdog = services.watchdog
        var logger = services.logger
        logger[metadataKey: "plugin.id"] = "\(id)"
        self.logger = logger
        isBlocking = traits.capabilities & GF_CAP_BLOCKING != 0
        neverBlocks = traits.capabilities & GF_CAP_NEVER_BLOCKS != 0 && !isBlocking
        let isParallel = traits.concurrency == GF_CONCURRENCY_PARALLEL
        let isGlobal = traits.concurrency == GF_CONCURRENCY_GLOBAL
        libraryLane = Mutex(isGlobal ? InvocationLane() : nil)
        hasInstanceLanes = !isParallel && !isGlobal
        isInline = neverBlocks && isParallel
        let threads = isGlobal ? 1 : isParallel && traits.max_parallel > 0 ? Int(min(traits.max_parallel, 256)) : 16
        pool = PluginThreadPool(maxThreads: threads)
        metrics = PluginMetrics(pluginID: id)

        let memory = UnsafeMutablePointer<gf_host>.allocate(capacity: 1)
        memory.initialize(to: gf_host())
        host = UnsafePointer(memory)
        memory.pointee.struct_size = UInt32(MemoryLayout<gf_host>.size)
        memory.pointee.abi_minor = GF_ABI_MINOR
        memory.pointee.core = HostTables.shared.core
        memory.pointee.call = HostTables.shared.call
        memory.pointee.sink = HostTables.shared.sink
        // The plugin may use the pointer as long as the process lives, so this reference is never given back.
        memory.pointee.context = Unmanaged.passRetained(self).toOpaque()
    }

    func adoptCalls(_ api: gf_call_api) {
        let table = CallTable(api: api, runtime: self)
        calls = table
        watchdog.add(table)
    }

    // MARK: Threads

    func makeInstanceLane() -> InvocationLane? { hasInstanceLanes ? InvocationLane() : libraryLane.withLock { $0 } }

    /// Runs a function of the plugin as its declaration asks: inline or on its pool, alone in its lane or beside others.
    func invoke(on instance: PluginInstance, _ work: @escaping @Sendable () -> Void) {
        let lane = instance.lane
        if neverBlocks {
            if let lane { lane.run(work) } else { work() }
        } else {
            invokeLater(on: instance, work)
        }
    }

    /// Runs a function of the plugin on its pool, alone in the lane of the instance if it has one.
    func invokeLater(on instance: PluginInstance, _ work: @escaping @Sendable () -> Void) {
        let lane = instance.lane
        pool.submit { if let lane { lane.run(work) } else { work() } }
    }

    /// Runs a function of the library itself: open, create, close.
    func invokeOnLibrary(_ work: @escaping @Sendable () -> Void) {
        let lane = libraryLane.withLock { $0 }
        pool.submit { if let lane { lane.run(work) } else { work() } }
    }

    /// The library is closed: its threads end as soon as they have nothing to do.
    func endThreads() {
        pool.close()
        controlPool.close()
    }

    /// Runs `cancel`, which must not wait behind what it cancels.
    func control(_ work: @escaping @Sendable () -> Void) { controlPool.submit(work) }

    /// A call was given up: whatever thread it holds is replaced, and so is its instance.
    func gaveUp(on instance: PluginInstance?) {
        counters.abandoned.add(1, ordering: .relaxed)
        if instance != nil { counters.stuck.add(1, ordering: .relaxed) }
        libraryLane.withLock { lane in
            // The stuck call holds the lane of the whole library: what comes next gets another.
            if lane != nil { lane = InvocationLane() }
        }
        pool.replaceStuckThread()
        instance?.retire()
        process?.gaveUp()
        if level == .inProcess { noteHang() }
        misbehaved("a call was not completed in time after it was cancelled and has been given up", rule: "GF-R-018")
    }

    /// The last call has ended.
    ///
    /// A plugin that keeps the host's memory without one has lost it.
    func becameIdle() {
        guard level == .inProcess, buffers.heldBytes > RuntimeTrouble.idleBytes else { return }
        let (isNew, bytes) = trouble.withLock { ($0.report(), buffers.heldBytes) }
        if isNew { services.incidents.yield(.kept(self, bytes: bytes)) }
    }

    private func noteHang() {
        guard !services.isEnding.load(ordering: .relaxed) else { return }
        let isMuch = trouble.withLock { $0.hung(at: MonotonicTime.now) && $0.report() }
        if isMuch { services.incidents.yield(.hung(self)) }
    }

    // MARK: Words

    func setError(_ call: OpaquePointer?, _ error: UnsafePointer<gf_error>?) -> gf_status {
        calls?.setError(call, error) ?? GF_STATE
    }

    /// Notes that the plugin broke a rule; at most a few lines a second reach the log.
    func misbehaved(_ message: String, rule: String) {
        counters.misbehaviours.add(1, ordering: .relaxed)
        guard logBudget.withLock({ $0.spend() }) else { return }
        logger.warning("Plugin broke a rule of the ABI", metadata: ["rule": "\(rule)", "what": "\(message)"])
    }

    func log(level: UInt32, _ message: gf_str, _ fields: UnsafePointer<gf_field>?, count: UInt32) {
        guard logBudget.withLock({ $0.spend() }) else { return }
        var metadata: Logger.Metadata = [:]
        if let fields {
            for index in 0..<Int(min(count, 64)) {
                metadata[String(fields[index].key)] = "\(PluginRuntime.text(fields[index].value))"
            }
        }
        let dropped = logBudget.withLock { $0.takeDropped() }
        if dropped > 0 { metadata["dropped-lines"] = "\(dropped)" }
        let text = String(String(message).prefix(8_192))
        switch level {
        case GF_LOG_DEBUG: logger.debug("\(text)", metadata: metadata)
        case GF_LOG_INFO: logger.info("\(text)", metadata: metadata)
        case GF_LOG_WARN: logger.warning("\(text)", metadata: metadata)
        default: logger.error("\(text)", metadata: metadata)
        }
    }

    private static func text(_ value: gf_value) -> String {
        switch value.type {
        case GF_VALUE_BOOL: value.as.i64 != 0 ? "true" : "false"
        case GF_VALUE_I64: "\(value.as.i64)"
        case GF_VALUE_F64: "\(value.as.f64)"
        case GF_VALUE_STR: String(String(value.as.str).prefix(1_024))
        case GF_VALUE_BYTES: "\(value.as.bytes.length) bytes"
        default: "null"
        }
    }
}

/// Lines that a plugin may still log: 500 at once, 100 more each second.
struct LogBudget {
    private var left = 500.0
    private var filledAt = ContinuousClock.now
    private var dropped = 0

    mutating func spend() -> Bool {
        let now = ContinuousClock.now
        let elapsed = (now - filledAt).components
        left = min(500, left + 100 * (Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18))
        filledAt = now
        guard left >= 1 else {
            dropped += 1
            return false
        }
        left -= 1
        return true
    }

    mutating func takeDropped() -> Int {
        defer { dropped = 0 }
        return dropped
    }
}

/// What is counted for each opened library.
final class CallCounters: Sendable {
    let running = Atomic<Int>(0)
    let total = Atomic<Int>(0)
    /// Calls that were given up, ever.
    let abandoned = Atomic<Int>(0)
    /// Those of them that have not completed since.
    let stuck = Atomic<Int>(0)
    let misbehaviours = Atomic<Int>(0)
}
