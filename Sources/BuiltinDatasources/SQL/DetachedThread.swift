// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Synchronization

/// A thread for one piece of work.
enum DetachedThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Throws: ``PluginError`` when the system has no thread left.
    static func start(_ body: @escaping @Sendable () -> Void) throws {
        let context = Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                // The argument is the context below, never nil.
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard status == 0 else {
            context.release()
            throw PluginError(.noMemory, "no thread can be started for a connection (errno \(status))")
        }
        pthread_detach(thread)
    }
}

/// One value that is given once, from any thread, and waited for by one task that may be cancelled.
final class OneAnswer<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Value, any Error>)
        case given(Result<Value, any Error>)
        case over
    }

    private let state = Mutex(State.empty)

    /// - Returns: Whether somebody takes the value; false when the wait was cancelled.
    func give(_ result: Result<Value, any Error>) -> Bool {
        let (continuation, isTaken): (CheckedContinuation<Value, any Error>?, Bool) = state.withLock { state in
            switch state {
            case .empty:
                state = .given(result)
                return (nil, true)
            case .waiting(let continuation):
                state = .over
                return (continuation, true)
            case .given, .over: return (nil, false)
            }
        }
        continuation?.resume(with: result)
        return isTaken
    }

    /// - Throws: What was given, or ``PluginError`` `.cancelled`.
    func wait() async throws -> Value {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Value, any Error>? = state.withLock { state in
                    switch state {
                    case .empty:
                        state = .waiting(continuation)
                        return nil
                    case .given(let result):
                        state = .over
                        return result
                    case .waiting, .over: return .failure(Self.cancelled)
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let continuation: CheckedContinuation<Value, any Error>? = state.withLock { state in
                switch state {
                case .waiting(let continuation):
                    state = .over
                    return continuation
                case .empty:
                    state = .over
                    return nil
                case .given, .over: return nil
                }
            }
            continuation?.resume(throwing: Self.cancelled)
        }
    }

    private static var cancelled: PluginError { PluginError(.cancelled, "the call was cancelled") }
}
