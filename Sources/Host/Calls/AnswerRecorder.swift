// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import Synchronization

/// Copies the answer of a call while it is read, and hands it on when it was read to its end and is whole.
///
/// Copies, because what a plugin sent lies in its memory, which has to go with its instance.
final class AnswerRecorder: Sendable {
    private struct State {
        var events: [CallEvent] = []
        var bytes = 0
        var isGivenUp = false
    }

    private let maximumBytes: Int
    private let finish: @Sendable ([CallEvent], _ bytes: Int) -> Void
    private let state = Mutex(State())

    /// - Parameter finish: Called once at most.
    init(maximumBytes: Int, finish: @escaping @Sendable ([CallEvent], _ bytes: Int) -> Void) {
        self.maximumBytes = maximumBytes
        self.finish = finish
    }

    func take(_ event: CallEvent) {
        let whole = state.withLock { state -> (events: [CallEvent], bytes: Int)? in
            guard !state.isGivenUp, Self.isKeepable(event) else {
                state = State(isGivenUp: true)
                return nil
            }
            state.bytes += Self.byteCount(event)
            guard state.bytes <= maximumBytes else {
                state = State(isGivenUp: true)
                return nil
            }
            state.events.append(Self.copy(event))
            guard case .completed = event else { return nil }
            defer { state = State(isGivenUp: true) }
            return (state.events, state.bytes)
        }
        if let whole { finish(whole.events, whole.bytes) }
    }

    /// Whether an answer with this step may be given again: errors may pass, and warnings say that something is missing.
    private static func isKeepable(_ event: CallEvent) -> Bool {
        switch event {
        case .frame(_, let frame), .rows(_, let frame): frame.meta?.notices.allSatisfy { $0.severity == .info } ?? true
        case .notice(let notice, _): notice.severity == .info
        case .completed(let error): error == nil
        case .failed, .bytes, .head, .checkpoint: false
        }
    }

    private static func copy(_ event: CallEvent) -> CallEvent {
        switch event {
        case .frame(let number, let frame): .frame(number: number, frame.compacted())
        case .rows(let number, let frame): .rows(number: number, frame.compacted())
        default: event
        }
    }

    private static func byteCount(_ event: CallEvent) -> Int {
        switch event {
        case .frame(_, let frame), .rows(_, let frame): 256 + frame.ownByteCount
        case .notice(let notice, let refID): 128 + notice.text.utf8.count + refID.utf8.count
        default: 64
        }
    }
}

extension DataFrame {
    /// The frame with copies of its own rows.
    fileprivate func compacted() -> DataFrame {
        var frame = self
        for index in frame.fields.indices { frame.fields[index].column = frame.fields[index].column.compacted() }
        return frame
    }

    /// About what a copy takes, with names, labels and settings of the fields.
    fileprivate var ownByteCount: Int {
        fields.reduce(name.utf8.count + (meta?.json.text.utf8.count ?? 0)) { total, field in
            let labels = (field.labels ?? [:]).reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 64 }
            return total + 256 + field.column.byteCount + field.name.utf8.count + labels
                + (field.config?.json.text.utf8.count ?? 0)
        }
    }
}
