// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Synchronization

/// One loaded version of a plugin with its instances.
///
/// A reload makes a new generation beside the old one, which ends when its last call has.
final class PluginGeneration: Sendable {
    /// A data source: its row and its uid, so that a uid that goes to another source never finds the first one's instance.
    struct Key: Hashable, Sendable {
        var orgID: Int64
        var id: Int64
        var uid: String

        init(_ settings: DataSourceInstanceSettings) {
            orgID = settings.orgID
            id = settings.id
            uid = settings.uid
        }
    }

    private enum Entry {
        case ready(PluginInstance, version: Int)
        case creating([CheckedContinuation<PluginError?, Never>])
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// Instances that are being made or not destroyed yet, retired ones too.
        var alive = 0
        var isDraining = false
        var isClosed = false
        /// Sources that were deleted while their instance was being made.
        var forgotten: Set<Key> = []
        /// What the instances of the generation before saved, for those that follow them.
        var handedOver: [Key: [UInt8]]
    }

    let plugin: ValidatedPlugin
    let library: PluginLibrary
    let number: Int
    private let state: Mutex<State>

    init(plugin: ValidatedPlugin, library: PluginLibrary, number: Int, handedOver: [Key: [UInt8]] = [:]) {
        self.plugin = plugin
        self.library = library
        self.number = number
        state = Mutex(State(handedOver: handedOver))
    }

    /// The instance for a configuration, reserved for one call: made at first use, replaced when the settings changed.
    ///
    /// - Returns: nil when this generation takes no new calls.
    /// - Throws: ``PluginError`` of the plugin's `create`.
    func reserveInstance(for configuration: DataSourceConfiguration) async throws -> PluginInstance? {
        enum Step {
            case use(PluginInstance)
            case wait
            case create(replacing: PluginInstance?)
            case refuse
        }
        let key = Key(configuration.settings)
        while true {
            let step = state.withLock { state -> Step in
                if state.isDraining { return .refuse }
                switch state.entries[key] {
                case .ready(let instance, configuration.version) where instance.reserve(): return .use(instance)
                case .creating: return .wait
                case .ready(let old, _):
                    state.entries[key] = .creating([])
                    state.alive += 1
                    return .create(replacing: old)
                case nil:
                    state.entries[key] = .creating([])
                    state.alive += 1
                    return .create(replacing: nil)
                }
            }
            switch step {
            case .use(let instance): return instance
            case .refuse: return nil
            case .create(let old):
                old?.retire()
                return try await create(key, configuration)
            case .wait:
                if let error = await creation(of: key) { throw error }
            }
        }
    }

    /// Waits until somebody else's creation of the instance ends; the error it ended with, if any.
    private func creation(of key: Key) async -> PluginError? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard case .creating(let waiters)? = state.entries[key] else { return true }
                state.entries[key] = .creating(waiters + [continuation])
                return false
            }
            if isOver { continuation.resume(returning: nil) }
        }
    }

    private func create(_ key: Key, _ configuration: DataSourceConfiguration) async throws -> PluginInstance {
        do {
            // Strong: a drained generation has no other owner, and its last instance closes the library.
            let instance = try await library.makeInstance(configuration) { [self] _ in instanceEnded() }
            if let saved = state.withLock({ $0.handedOver.removeValue(forKey: key) }) {
                await StateHandOver.load(saved, into: instance)
            }
            instance.hold()
            let (waiters, isOver) = state.withLock { state in
                let waiters = Self.waiters(of: state.entries[key])
                let isOver = state.forgotten.remove(key) != nil || state.isDraining
                state.entries[key] = isOver ? nil : .ready(instance, version: configuration.version)
                return (waiters, isOver)
            }
            if isOver { instance.retire() }
            for waiter in waiters { waiter.resume(returning: nil) }
            return instance
        } catch {
            let failure = error as? PluginError ?? PluginError(.internal, "\(error)")
            let waiters = state.withLock { state in
                let waiters = Self.waiters(of: state.entries[key])
                state.entries[key] = nil
                state.forgotten.remove(key)
                return waiters
            }
            instanceEnded()
            for waiter in waiters { waiter.resume(returning: failure) }
            throw failure
        }
    }

    private static func waiters(of entry: Entry?) -> [CheckedContinuation<PluginError?, Never>] {
        guard case .creating(let waiters)? = entry else { return [] }
        return waiters
    }

    /// What each instance wants its successor to know.
    func saveStates() async -> [Key: [UInt8]] {
        guard library.has(extension: GF_STATE_EXT) else { return [:] }
        let instances = state.withLock { state in
            state.entries.compactMap { key, entry -> (Key, PluginInstance)? in
                guard case .ready(let instance, _) = entry else { return nil }
                return (key, instance)
            }
        }
        var saved: [Key: [UInt8]] = [:]
        for (key, instance) in instances where instance.reserve() {
            saved[key] = await StateHandOver.save(instance)
            instance.unreserve()
        }
        return saved
    }

    /// Forgets the instances of a data source that was deleted or renamed; one that is being made is forgotten when it is.
    func retireInstance(orgID: Int64, uid: String) {
        let instances = state.withLock { state -> [PluginInstance] in
            var retired: [PluginInstance] = []
            for (key, entry) in state.entries where key.orgID == orgID && key.uid == uid {
                switch entry {
                case .creating: state.forgotten.insert(key)
                case .ready(let instance, _):
                    state.entries[key] = nil
                    retired.append(instance)
                }
            }
            return retired
        }
        for instance in instances { instance.retire() }
    }

    /// No new calls: running ones go on, and the last to leave closes the library.
    func drain() {
        let instances = state.withLock { state -> [PluginInstance]? in
            guard !state.isDraining else { return nil }
            state.isDraining = true
            // Counts as alive until all are retired, so that the first to end does not close the library.
            state.alive += 1
            var instances: [PluginInstance] = []
            for (key, entry) in state.entries {
                guard case .ready(let instance, _) = entry else { continue }
                instances.append(instance)
                state.entries[key] = nil
            }
            return instances
        }
        guard let instances else { return }
        for instance in instances { instance.retire() }
        instanceEnded()
    }

    /// Whether there are calls that may still end; those that were given up are not waited for.
    var isBusy: Bool {
        let counters = library.runtime.counters
        let running = counters.running.load(ordering: .relaxed)
        return running > counters.stuck.load(ordering: .relaxed) || (running == 0 && !state.withLock { $0.isClosed })
    }

    private func instanceEnded() {
        let closes = state.withLock { state in
            state.alive -= 1
            guard state.isDraining, state.alive <= 0, !state.isClosed else { return false }
            state.isClosed = true
            return true
        }
        if closes { library.close() }
    }
}

/// The two calls that hand an instance's memory over to its successor (`gf.state/1`).
enum StateHandOver {
    private static let limits = CallLimits(time: .seconds(5), bytes: Int64(GF_STATE_MAX_BYTES))

    static func save(_ instance: PluginInstance) async -> [UInt8]? {
        let outcome = await BytesReceiver.run(GF_CALL_STATE_SAVE, on: instance, input: nil, limits: limits)
        return outcome.error == nil ? outcome.bytes : nil
    }

    /// A state that cannot be loaded is no fault: the instance starts empty.
    static func load(_ bytes: [UInt8], into instance: PluginInstance) async {
        _ = await BytesReceiver.run(GF_CALL_STATE_LOAD, on: instance, input: CallInput(bytes), limits: limits)
    }
}

/// Collects the bytes of a call that has no other result.
private final class BytesReceiver: CallReceiver {
    private struct State {
        var bytes: [UInt8] = []
        var continuation: CheckedContinuation<(bytes: [UInt8], error: PluginError?), Never>?
    }

    private let state = Mutex(State())

    static func run(
        _ kind: UInt32, on instance: PluginInstance, input: CallInput?, limits: CallLimits
    ) async -> (bytes: [UInt8], error: PluginError?) {
        guard let calls = instance.runtime.calls else { return ([], nil) }
        let receiver = BytesReceiver()
        return await withCheckedContinuation { continuation in
            receiver.state.withLock { $0.continuation = continuation }
            _ = calls.begin(
                CallStart(
                    kind: kind, request: nil, memory: nil, instance: instance, facts: CallFacts(), limits: limits,
                    input: input, receiver: receiver))
        }
    }

    func received(_ chunk: ByteChunk) { state.withLock { $0.bytes += chunk.array } }

    func completed(_ error: PluginError?) {
        let (continuation, bytes) = state.withLock { state in (state.continuation, state.bytes) }
        continuation?.resume(returning: (bytes, error))
    }
}
