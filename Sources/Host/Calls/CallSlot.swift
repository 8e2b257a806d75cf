// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Synchronization

/// The host's side of one call at a time; slots are used again, under another generation.
///
/// A `gf_call *` is never an address: it is `generation << 16 | index + 1`, so that a handle that a plugin uses after its
/// call has ended names nothing (GF-R-010).
final class CallSlot: Sendable {
    enum Phase {
        case free
        case running
        /// The plugin completed; waiting for the last of its functions to return.
        case completed
        /// The host gave the call up; the plugin has not completed it yet.
        case abandoned
    }

    /// Safety: read and written only under the slot's lock; pointers are the plugin's words or kept alive by `memory`.
    struct State: @unchecked Sendable {
        var generation: UInt = 1
        var phase = Phase.free
        var kind: UInt32 = 0
        var hasStarted = false
        /// The plugin's functions that run for this call right now: start, cancel, resume.
        var running = 0
        var cancelReason: PluginError?
        var error: PluginError?
        var receiver: (any CallReceiver)?
        var instance: PluginInstance?
        /// What the request's pointers point to.
        var request: UnsafeRawPointer?
        var memory: AnyObject?
        var pluginState: UnsafeMutableRawPointer?
        var facts = CallFacts()
        var factsMemory: CallFactsMemory?
        var input: CallInput?
        var limits = CallLimits()
        var deadline = Int64.max
        /// When the host gives the call up; set when it is cancelled.
        var abandonAt = Int64.max
        var bytesLeft: Int64 = 0
        var rowsLeft: Int64 = 0
        /// Bytes that the reader has not consumed.
        var outstanding = 0
        var wantsCredit = false
        var hasHead = false
        var frames: [UInt32: OpenFrame] = [:]
        var schemaBytes = 0
        /// What came after the call was cancelled.
        var lateBytes: Int64 = 0
        /// The queries of which something was dropped because the call was cancelled, and that the plugin has not failed;
        /// the empty one stands for what belongs to no query.
        var dropped: Set<String> = []
        /// Timers and requests to end with the call.
        var resources = CallResources()
    }

    struct OpenFrame {
        var schema: FrameSchema
        var refID: String
    }

    let index: Int
    let state = Mutex(State())
    /// The earlier of `deadline` and `abandonAt`, for the watchdog; `max` in a free slot.
    let dueAt = Atomic<Int64>(.max)

    init(index: Int) { self.index = index }

    static func handle(index: Int, generation: UInt) -> OpaquePointer? {
        OpaquePointer(bitPattern: generation << 16 | UInt(index + 1))
    }

    static func parts(of handle: OpaquePointer) -> (index: Int, generation: UInt) {
        let bits = UInt(bitPattern: handle)
        return (Int(bits & 0xFFFF) - 1, bits >> 16)
    }

    /// The most slots of one plugin: what 16 bits can name.
    static let maxCount = 65_535
}

/// Something of the host that belongs to a call and ends with it.
protocol CallResource: AnyObject, Sendable {
    /// How many of them a call may have at a time.
    static var maxPerCall: Int { get }

    func endWithCall()
}

/// What ends with a call.
struct CallResources: Sendable {
    private var all: [ObjectIdentifier: any CallResource] = [:]
    /// By type.
    private var counts: [ObjectIdentifier: Int] = [:]

    /// - Returns: false when the call has as many of the kind as it may.
    mutating func add(_ resource: some CallResource) -> Bool {
        let kind = ObjectIdentifier(type(of: resource))
        guard counts[kind, default: 0] < type(of: resource).maxPerCall else { return false }
        counts[kind, default: 0] += 1
        all[ObjectIdentifier(resource)] = resource
        return true
    }

    mutating func remove(_ resource: any CallResource) {
        guard all.removeValue(forKey: ObjectIdentifier(resource)) != nil else { return }
        counts[ObjectIdentifier(type(of: resource)), default: 1] -= 1
    }

    func endWithCall() { for resource in all.values { resource.endWithCall() } }
}

/// The body of a request, for `gf_call_host.read`.
final class CallInput: Sendable {
    private struct State {
        var bytes: [UInt8]
        var offset = 0
    }

    private let state: Mutex<State>

    init(_ bytes: [UInt8]) { state = Mutex(State(bytes: bytes)) }

    /// What has not been read yet.
    var rest: [UInt8] { state.withLock { Array($0.bytes[$0.offset...]) } }

    /// Copies the next bytes; returns 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        state.withLock { state in
            let count = min(buffer.count, state.bytes.count - state.offset)
            guard count > 0 else { return 0 }
            state.bytes.withUnsafeBytes { bytes in
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[state.offset..<(state.offset + count)]))
            }
            state.offset += count
            return count
        }
    }
}

/// The texts that `gf_call_host` hands out, valid until the call completes.
///
/// Safety: written in `init` only.
final class CallFactsMemory: @unchecked Sendable {
    private var arena = CArena()
    let principal: gf_principal
    let traceParent: gf_str
    let locale: gf_str
    private let headers: [String: gf_str]

    init(_ facts: CallFacts) {
        var arena = CArena()
        var principal = gf_principal()
        principal.struct_size = UInt32(MemoryLayout<gf_principal>.size)
        principal.is_server = facts.principal == nil ? 1 : 0
        principal.org_id = facts.principal?.orgID ?? 0
        principal.login = arena.text(facts.principal?.login ?? "")
        principal.name = arena.text(facts.principal?.name ?? "")
        principal.email = arena.text(facts.principal?.email ?? "")
        principal.role = arena.text(facts.principal?.role ?? "")
        self.principal = principal
        traceParent = arena.text(facts.traceParent)
        locale = arena.text(facts.locale)
        var headers: [String: gf_str] = [:]
        for (name, value) in facts.headers { headers[name.lowercased()] = arena.text(value) }
        self.headers = headers
        self.arena = arena
    }

    func header(_ name: String) -> gf_str? { headers[name.lowercased()] }
}

/// Slots by index, readable without a lock.
///
/// Safety: `publish` is called with the table's lock held and writes each entry once, before its index is known to anybody;
/// entries are never removed while the table lives.
final class SlotDirectory: @unchecked Sendable {
    private static let chunk = 256
    private let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Unmanaged<CallSlot>?>?>
    private let count = Atomic<Int>(0)

    init() {
        chunks = .allocate(capacity: CallSlot.maxCount / Self.chunk + 1)
        chunks.initialize(repeating: nil, count: CallSlot.maxCount / Self.chunk + 1)
    }

    deinit {
        for index in 0..<(CallSlot.maxCount / Self.chunk + 1) { chunks[index]?.deallocate() }
        chunks.deallocate()
    }

    func publish(_ slot: CallSlot) {
        let (chunk, offset) = slot.index.quotientAndRemainder(dividingBy: Self.chunk)
        if chunks[chunk] == nil {
            let memory = UnsafeMutablePointer<Unmanaged<CallSlot>?>.allocate(capacity: Self.chunk)
            memory.initialize(repeating: nil, count: Self.chunk)
            chunks[chunk] = memory
        }
        chunks[chunk]?[offset] = Unmanaged.passUnretained(slot)
        count.store(slot.index + 1, ordering: .releasing)
    }

    subscript(index: Int) -> CallSlot? {
        guard index >= 0, index < count.load(ordering: .acquiring) else { return nil }
        let (chunk, offset) = index.quotientAndRemainder(dividingBy: Self.chunk)
        return chunks[chunk]?[offset]?.takeUnretainedValue()
    }
}
