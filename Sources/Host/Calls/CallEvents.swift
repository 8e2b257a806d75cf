// SPDX-License-Identifier: Apache-2.0
public import PluginABI
internal import Synchronization

/// One step of a call's result, in the order in which the plugin emitted it.
public enum CallEvent: Sendable {
    /// A new frame with its first rows; its `refID` is that of its query.
    case frame(number: UInt32, DataFrame)
    /// More rows of a frame.
    case rows(number: UInt32, DataFrame)
    case bytes(ByteChunk)
    case head(CallHead)
    /// A remark on a query; an empty `refID` means all of them.
    case notice(Notice, refID: String)
    /// One query failed; the call goes on.
    case failed(PluginError, refID: String)
    /// Where a stream goes on after a restart.
    case checkpoint([UInt8])
    /// The end; nil: well. Nothing follows.
    case completed(PluginError?)
}

/// The result of one call as it arrives, for one reader.
///
/// Reading gives the plugin room to send more. A reader that stops reading, or whose task is cancelled, cancels the call.
public struct CallEvents: AsyncSequence, Sendable {
    /// One step of the result; the last one is `completed`.
    public typealias Element = CallEvent

    /// Cancels the call when nobody can read it any more.
    fileprivate final class Reader: Sendable {
        let queue: CallQueue
        init(queue: CallQueue) { self.queue = queue }
        deinit { queue.cancel() }
    }

    /// Whether the answer was kept from an earlier call; nil for a data source that does not ask for that.
    public let cacheStatus: CacheStatus?
    private let reader: Reader
    private let recorder: AnswerRecorder?

    init(queue: CallQueue) {
        reader = Reader(queue: queue)
        recorder = nil
        cacheStatus = nil
    }

    /// An answer from before: its steps to the end.
    init(replaying events: [CallEvent]) {
        reader = Reader(queue: CallQueue(replaying: events))
        recorder = nil
        cacheStatus = .hit
    }

    private init(_ events: CallEvents, recorder: AnswerRecorder) {
        reader = events.reader
        self.recorder = recorder
        cacheStatus = .miss
    }

    /// The same events, which the recorder sees as they are read.
    func recorded(by recorder: AnswerRecorder) -> CallEvents { CallEvents(self, recorder: recorder) }

    /// Returns an iterator over the one shared queue: two iterators divide the events between them.
    public func makeAsyncIterator() -> Iterator { Iterator(reader: reader, recorder: recorder) }

    /// Takes events off the call's queue and keeps the call from being cancelled while it lives.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        fileprivate let reader: Reader
        fileprivate let recorder: AnswerRecorder?

        /// The next step; nil after `completed`.
        public func next() async -> CallEvent? {
            let event = await withTaskCancellationHandler {
                await reader.queue.next()
            } onCancel: {
                reader.queue.cancel()
            }
            if let event { recorder?.take(event) }
            return event
        }
    }
}

/// Takes a call's result on the plugin's threads and hands it to one reader.
final class CallQueue: CallReceiver {
    private struct State {
        /// `remark` is what an event takes that does not count in the call's window.
        var events: [(event: CallEvent, bytes: Int, remark: Int)] = []
        /// The remarks of `events` and of `opened`.
        var remarkBytes = 0
        /// Why the call was cancelled on behalf of its reader; nil: the reader wanted it.
        var overflow: PluginError?
        var head = 0
        var waiter: CheckedContinuation<CallEvent?, Never>?
        var ticket: CallTicket?
        var isCancelled = false
        var isFinished = false
        /// Frames whose schema has come and whose first rows have not.
        var opened: [(number: UInt32, refID: String, schema: FrameSchema, remark: Int)] = []
        var known: [UInt32: String] = [:]
        /// Credit owed to the call, given back outside of the lock.
        var owed = 0
    }

    private let state = Mutex(State())

    /// Told once, when the call has completed; for metrics and logs.
    let observer: @Sendable (PluginError?, _ failed: [PluginError]) -> Void
    private let failures = Mutex<[PluginError]>([])

    init(observer: @escaping @Sendable (PluginError?, [PluginError]) -> Void = { _, _ in }) {
        self.observer = observer
    }

    /// A call that is over.
    ///
    /// - Parameter events: All steps with `completed` at the end.
    convenience init(replaying events: [CallEvent]) {
        self.init()
        state.withLock { state in
            state.events = events.map { ($0, 0, 0) }
            state.isFinished = true
        }
    }

    func attach(_ ticket: CallTicket) {
        let (isCancelled, overflow) = state.withLock { state in
            state.ticket = ticket
            return (state.isCancelled, state.overflow)
        }
        if let overflow { ticket.cancel(overflow) } else if isCancelled { ticket.cancel() }
    }

    // MARK: The reader

    func next() async -> CallEvent? {
        let (ready, ticket, bytes) = take()
        if bytes > 0 { ticket?.consumed(bytes: bytes) }
        if let ready { return ready }
        return await withCheckedContinuation { continuation in
            let (event, isOver) = state.withLock { state -> (CallEvent?, Bool) in
                if let event = Self.pop(&state) { return (event, true) }
                if state.isFinished { return (nil, true) }
                state.waiter = continuation
                return (nil, false)
            }
            if isOver { continuation.resume(returning: event) }
        }
    }

    private func take() -> (CallEvent?, CallTicket?, Int) {
        state.withLock { state in
            let event = Self.pop(&state)
            let owed = state.owed
            state.owed = 0
            return (event, state.ticket, owed)
        }
    }

    private static func pop(_ state: inout State) -> CallEvent? {
        guard state.head < state.events.count else { return nil }
        let (event, bytes, remark) = state.events[state.head]
        state.head += 1
        state.remarkBytes -= remark
        if state.head == state.events.count {
            state.events.removeAll(keepingCapacity: true)
            state.head = 0
        }
        // What was read is given back when the reader asks for more: it then has been dealt with.
        state.owed += bytes
        return event
    }

    func cancel() {
        let ticket = state.withLock { state in
            guard !state.isFinished else { return nil as CallTicket? }
            state.isCancelled = true
            return state.ticket
        }
        ticket?.cancel()
    }

    // MARK: The plugin

    /// What schemas, notices, failures and checkpoints may take that nobody has read; a plugin that sends them without
    /// end does not wait for credit, since they are small and few otherwise.
    private static let maxRemarkBytes = 16 << 20

    /// The failures of queries that the observer is told of.
    private static let maxFailures = 1_000

    /// Counts what waits beside the window; the call is cancelled when it is too much.
    private func note(_ remark: Int) {
        let (ticket, overflow) = state.withLock { state -> (CallTicket?, PluginError?) in
            state.remarkBytes += remark
            guard state.remarkBytes > Self.maxRemarkBytes, state.overflow == nil, !state.isFinished else {
                return (nil, nil)
            }
            state.overflow = PluginError(
                .limit,
                "the plugin sent more than \(Self.maxRemarkBytes >> 20) MiB of schemas and remarks that nobody "
                    + "has read; report it to its author", source: .limit)
            return (state.ticket, state.overflow)
        }
        if let overflow { ticket?.cancel(overflow) }
    }

    private func push(_ event: CallEvent, bytes: Int = 0, remark: Int = 0) {
        let (waiter, delivered) = state.withLock { state -> (CheckedContinuation<CallEvent?, Never>?, CallEvent?) in
            guard !state.isFinished else { return (nil, nil) }
            if case .completed = event { state.isFinished = true }
            state.events.append((event, bytes, remark))
            guard let waiter = state.waiter else { return (nil, nil) }
            state.waiter = nil
            return (waiter, Self.pop(&state))
        }
        waiter?.resume(returning: delivered)
    }

    func opened(frame: UInt32, refID: String, schema: FrameSchema) {
        // A frame without rows must not be lost, nor change its place among those of its query.
        flushOpened { $0 == refID }
        let remark = schema.fields.reduce(512) { $0 + 256 + $1.name.utf8.count }
        state.withLock { state in
            state.opened.append((frame, refID, schema, remark))
            state.known[frame] = refID
        }
        note(remark)
    }

    func received(frame: UInt32, rows: DataFrame, bytes: Int) {
        let refID = state.withLock { $0.known[frame] }
        flushOpened(except: frame) { $0 == refID }
        var rows = rows
        let opened = state.withLock { state -> Int? in
            if rows.refID.isEmpty { rows.refID = state.known[frame] ?? "" }
            guard let index = state.opened.firstIndex(where: { $0.number == frame }) else { return nil }
            return state.opened.remove(at: index).remark
        }
        let event: CallEvent = opened != nil ? .frame(number: frame, rows) : .rows(number: frame, rows)
        push(event, bytes: bytes, remark: opened ?? 0)
    }

    /// Sends on the frames of the chosen queries that were opened and got no rows.
    private func flushOpened(except number: UInt32? = nil, where isChosen: (String) -> Bool) {
        let empty = state.withLock { state in
            let empty = state.opened.filter { $0.number != number && isChosen($0.refID) }
            state.opened.removeAll { $0.number != number && isChosen($0.refID) }
            return empty
        }
        for (number, refID, schema, remark) in empty {
            var frame = schema.emptyFrame
            if frame.refID.isEmpty { frame.refID = refID }
            push(.frame(number: number, frame), remark: remark)
        }
    }

    /// Forgets the frames of a query whose rows came too late.
    private func dropOpened(of refID: String) {
        state.withLock { state in
            state.opened.removeAll { opened in
                guard opened.refID == refID else { return false }
                state.remarkBytes -= opened.remark
                return true
            }
        }
    }

    func received(_ chunk: ByteChunk) { push(.bytes(chunk), bytes: chunk.count) }
    func received(_ head: CallHead) { push(.head(head)) }

    func received(_ notice: Notice, refID: String) {
        let remark = 256 + notice.text.utf8.count + (notice.link?.utf8.count ?? 0) + refID.utf8.count
        note(remark)
        push(.notice(notice, refID: refID), remark: remark)
    }

    func progressed(_ fraction: Double, token: [UInt8]) {
        guard !token.isEmpty else { return }
        note(256 + token.count)
        push(.checkpoint(token), remark: 256 + token.count)
    }

    func failed(_ error: PluginError, refID: String) {
        failures.withLock { if $0.count < Self.maxFailures { $0.append(error) } }
        if error.code == .cancelled || error.code == .timeout {
            dropOpened(of: refID)
        } else {
            flushOpened { $0 == refID }
        }
        let texts = [error.message, error.hint ?? "", error.details?.text ?? "", refID]
        let remark = texts.reduce(256) { $0 + $1.utf8.count }
        note(remark)
        push(.failed(error, refID: refID), remark: remark)
    }

    func completed(_ error: PluginError?) {
        flushOpened { _ in true }
        observer(error, failures.withLock { $0 })
        push(.completed(error))
    }
}
