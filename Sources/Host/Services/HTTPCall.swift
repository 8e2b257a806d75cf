// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import CPluginABI
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import PluginABI
internal import Synchronization

/// One request that a plugin made: what has arrived of its answer and not been read.
///
/// Safety: `id`, `leaveCall` and `deadline` are written once, before the request starts; `keptHead` and `keptError` are
/// written once under the lock and only read through pointers that live as long as the object.
final class HTTPCall: HTTPClientResponseDelegate, OutgoingExchange, @unchecked Sendable {
    typealias Response = Void

    private struct State {
        var head: HTTPResponseHead?
        var chunks: [ByteBuffer] = []
        var buffered = 0
        var received: Int64 = 0
        var isFinished = false
        var error: PluginError?
        /// The plugin was told AGAIN and waits for the event.
        var isAwaited = false
        var drained: EventLoopPromise<Void>?
        var task: AsyncHTTPClient.HTTPClient.Task<Void>?
        var isClosed = false
        var origin = ""
        /// The request that runs, and the one that follows when its answer has ended.
        var request: AsyncHTTPClient.HTTPClient.Request?
        var redirect: AsyncHTTPClient.HTTPClient.Request?
        var redirects = 0
    }

    enum Chunk {
        case chunk(ByteBuffer)
        case status(gf_status)
    }

    /// Bytes that may wait for the plugin before the server is slowed down.
    private static let highWater = 1 << 20

    static let maxPerCall = 64

    var id: UInt64 = 0
    var leaveCall: @Sendable () -> Void = {}
    let isWanted: @Sendable () -> Bool
    private let maxBytes: Int64
    private let wake: @Sendable (UInt64) -> Void
    private let state = Mutex(State())
    private let client: AsyncHTTPClient.HTTPClient
    private var deadline = NIODeadline.distantFuture
    private var keptHead: HeadMemory?
    private var keptError: ErrorMemory?

    init(
        maxBytes: Int64, client: AsyncHTTPClient.HTTPClient, isWanted: @escaping @Sendable () -> Bool,
        wake: @escaping @Sendable (UInt64) -> Void
    ) {
        self.maxBytes = maxBytes
        self.client = client
        self.isWanted = isWanted
        self.wake = wake
    }

    func start(_ request: AsyncHTTPClient.HTTPClient.Request, deadline: NIODeadline) {
        self.deadline = deadline
        run(request)
    }

    private func run(_ request: AsyncHTTPClient.HTTPClient.Request) {
        state.withLock { state in
            state.origin = "\(request.scheme)://\(request.host):\(request.port)"
            state.request = request
            state.redirect = nil
        }
        let task = client.execute(request: request, delegate: self, deadline: deadline)
        let isClosed = state.withLock { state in
            state.task = task
            return state.isClosed
        }
        if isClosed { task.cancel() }
    }

    // MARK: The plugin's side

    func head(into out: UnsafeMutablePointer<gf_http_head>) -> gf_status {
        state.withLock { state in
            if let error = state.error, state.head == nil { return error.code.rawValue }
            guard let head = state.head else {
                state.isAwaited = true
                return GF_AGAIN
            }
            if keptHead == nil { keptHead = HeadMemory(head) }
            guard let keptHead else { return GF_INTERNAL }
            out.pointee = keptHead.value
            return GF_OK
        }
    }

    func nextChunk() -> Chunk {
        let (chunk, drained) = state.withLock { state -> (Chunk, EventLoopPromise<Void>?) in
            guard !state.chunks.isEmpty else {
                if let error = state.error { return (.status(error.code.rawValue), nil) }
                if state.isFinished { return (.status(GF_OK), nil) }
                state.isAwaited = true
                return (.status(GF_AGAIN), nil)
            }
            let chunk = state.chunks.removeFirst()
            state.buffered -= chunk.readableBytes
            guard state.buffered < Self.highWater / 2 else { return (.chunk(chunk), nil) }
            let drained = state.drained
            state.drained = nil
            return (.chunk(chunk), drained)
        }
        drained?.succeed()
        return chunk
    }

    var errorText: gf_str {
        state.withLock { state in
            guard let error = state.error else { return gf_str() }
            if keptError == nil { keptError = ErrorMemory(error.message) }
            return keptError?.text ?? gf_str()
        }
    }

    func fail(_ error: PluginError) { event { $0.error = $0.error ?? error } }

    func endWithCall() {
        let (task, drained) = state.withLock { state in
            state.isClosed = true
            state.chunks = []
            let drained = state.drained
            state.drained = nil
            return (state.task, drained)
        }
        task?.cancel()
        drained?.succeed()
    }

    /// Changes the state and tells the plugin if it waits.
    private func event(_ change: (inout State) -> Void) {
        let wakes = state.withLock { state in
            change(&state)
            defer { state.isAwaited = false }
            return state.isAwaited && !state.isClosed
        }
        if wakes { wake(id) }
    }

    // MARK: The server's side, on an event loop

    func didReceiveHead(task: AsyncHTTPClient.HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void>
    {
        event { state in
            if let request = state.request, state.redirects < HTTPRedirect.maxSteps {
                state.redirect = HTTPRedirect.next(after: head, to: request)
            }
            if state.redirect == nil { state.head = head } else { state.redirects += 1 }
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: AsyncHTTPClient.HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void>
    {
        let promise = task.eventLoop.makePromise(of: Void.self)
        var waits = false
        var isTooLarge = false
        event { state in
            guard !state.isClosed, state.error == nil, state.redirect == nil, buffer.readableBytes > 0 else { return }
            state.received += Int64(buffer.readableBytes)
            guard state.received <= maxBytes else {
                isTooLarge = true
                state.error = PluginError(
                    .limit, "the answer of \(state.origin) is larger than \(maxBytes) bytes; ask for less data",
                    source: .downstream)
                return
            }
            state.chunks.append(buffer)
            state.buffered += buffer.readableBytes
            if state.buffered >= Self.highWater {
                state.drained = promise
                waits = true
            }
        }
        if isTooLarge { task.cancel() }
        if !waits { promise.succeed() }
        return promise.futureResult
    }

    func didFinishRequest(task: AsyncHTTPClient.HTTPClient.Task<Void>) throws {
        let (next, isClosed) = state.withLock { ($0.redirect, $0.isClosed) }
        if let next, !isClosed { return run(next) }
        event { $0.isFinished = true }
    }

    func didReceiveError(task: AsyncHTTPClient.HTTPClient.Task<Void>, _ error: any Error) {
        event { $0.error = $0.error ?? Self.failure(error, origin: $0.origin) }
    }

    /// What a failure on the way means.
    static func failure(_ error: any Error, origin: String) -> PluginError {
        if let error = error as? NIOConnectionError {
            let causes = error.connectionErrors.map { words(for: $0.error) }
            let cause = causes.first ?? (error.dnsAError ?? error.dnsAAAAError).map { _ in "no such host" } ?? "failed"
            return PluginError(.io, "\(origin) could not be reached: \(cause)")
        }
        switch error as? HTTPClientError {
        case .cancelled: return PluginError(.cancelled, "the request to \(origin) was cancelled")
        case .deadlineExceeded, .readTimeout: return PluginError(.timeout, "\(origin) did not answer in time")
        case .connectTimeout: return PluginError(.timeout, "\(origin) could not be reached in time")
        default: return PluginError(.io, "the request to \(origin) failed: \(words(for: error))")
        }
    }

    static func words(for error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return String(cString: strerror(error.errnoCode)).lowercased()
    }
}

/// The head of a response in C, for as long as the request is open.
///
/// Safety: written in `init` only.
final class HeadMemory: @unchecked Sendable {
    private var arena = CArena()
    let value: gf_http_head

    init(_ head: HTTPResponseHead) {
        var arena = CArena()
        var headers = HTTPHeaders()
        for (name, value) in head.headers { headers.add(name.lowercased(), value) }
        var value = gf_http_head()
        value.struct_size = UInt32(MemoryLayout<gf_http_head>.size)
        value.status = Int32(clamping: head.status.code)
        value.headers = arena.pairs(headers)
        value.header_count = UInt32(headers.count)
        self.value = value
        self.arena = arena
    }
}

/// A text in C.
///
/// Safety: written in `init` only.
final class ErrorMemory: @unchecked Sendable {
    private var arena = CArena()
    let text: gf_str

    init(_ message: String) {
        var arena = CArena()
        text = arena.text(message)
        self.arena = arena
    }
}

private typealias HTTPHeaders = PluginABI.HTTPHeaders
