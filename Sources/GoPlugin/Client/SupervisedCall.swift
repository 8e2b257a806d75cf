// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// A call to a plugin that may still be starting.
package final class SupervisedCall: Sendable {
    private enum State {
        case waiting
        case begun(GRPCCall)
        case over
    }

    let request: GRPCRequest
    let reader: any MessageReader
    private let state = Mutex(State.waiting)

    /// Prepares; ``PluginSupervisor/begin(_:)`` begins it.
    package init(_ request: GRPCRequest, reader: any MessageReader) {
        self.request = request
        self.reader = reader
    }

    /// Ends the call; its reader is finished unless it was.
    package func cancel() {
        let (begun, isOver) = state.withLock { state -> (GRPCCall?, Bool) in
            switch state {
            case .begun(let call): return (call, false)
            case .waiting:
                state = .over
                return (nil, true)
            case .over: return (nil, false)
            }
        }
        begun?.cancel()
        if isOver { reader.finished(.local(.cancelled, "the call was cancelled")) }
    }

    /// Asks for the messages that wait since the reader asked for a pause.
    package func resume() {
        let call = state.withLock { state -> GRPCCall? in
            guard case .begun(let call) = state else { return nil }
            return call
        }
        call?.resume()
    }

    func begin(on connection: GRPCConnection) {
        state.withLock { state in
            guard case .waiting = state else { return }
            // Under the lock, so that a cancellation finds the call; it only reaches the connection's inbox.
            state = .begun(connection.begin(request, reader: reader))
        }
    }

    /// The plugin is not asked: the reader is finished with a refusal.
    func refuse(_ reason: String) {
        let isWaiting = state.withLock { state in
            guard case .waiting = state else { return false }
            state = .over
            return true
        }
        guard isWaiting else { return }
        var status = GRPCStatus.local(.unavailable, reason)
        status.isRefusal = true
        reader.finished(status)
    }
}
