// SPDX-License-Identifier: Apache-2.0
internal import NIOCore

/// How a plugin is told from a process that does not move any more, such as a stopped one.
///
/// A plugin that was asked something and is silent gets a PING, which any HTTP/2 server answers while it works.
package struct Heartbeat: Sendable {
    /// The silence after which it is asked.
    package var silence: Duration
    /// How long the answer may take; the connection ends after it.
    package var patience: Duration
    /// Whether silence is forgiven right now, as when a debugger holds the process.
    package var isExcused: @Sendable () -> Bool

    /// A plugin that does nothing at all is noticed after 15 seconds.
    package init(
        silence: Duration = .seconds(5), patience: Duration = .seconds(10),
        isExcused: @escaping @Sendable () -> Bool = { false }
    ) {
        self.silence = silence
        self.patience = patience
        self.isExcused = isExcused
    }
}

/// The state of one connection's heartbeat; on its event loop.
struct Pulse {
    enum Step: Equatable {
        /// Look again after a time.
        case wait(TimeAmount)
        /// Send a PING, and look again after a time.
        case ping(TimeAmount)
        /// Nothing is owed.
        case rest
        case dead
    }

    private let silence: TimeAmount
    private let patience: TimeAmount
    private(set) var isWatched = false
    private var lastSent = NIODeadline.uptimeNanoseconds(0)
    private var lastReceived = NIODeadline.uptimeNanoseconds(0)
    private var pinged: NIODeadline?
    /// gRPC's servers end a connection that sends a third PING between two messages of theirs.
    private var pingsLeft = Self.mostPings
    private static let mostPings = 2

    init(_ heartbeat: Heartbeat) {
        silence = .nanoseconds(heartbeat.silence.inNanoseconds)
        patience = .nanoseconds(heartbeat.patience.inNanoseconds)
    }

    /// A call began.
    ///
    /// - Returns: after what time to look; nil: somebody will.
    mutating func sent(at now: NIODeadline) -> TimeAmount? {
        lastSent = now
        if isWatched { return nil }
        isWatched = true
        return silence
    }

    /// Bytes came.
    mutating func received(at now: NIODeadline) { lastReceived = now }

    /// A part of an answer came.
    mutating func answered() { pingsLeft = Self.mostPings }

    /// What to do now.
    ///
    /// - Parameter isAwaiting: whether the answer to a call is outstanding; one that was cancelled is still owed a sign.
    mutating func look(at now: NIODeadline, isAwaiting: Bool, isExcused: () -> Bool) -> Step {
        if let time = pinged {
            pinged = nil
            if lastReceived < time, !isExcused() { return .dead }
        }
        guard isAwaiting || lastReceived < lastSent else {
            isWatched = false
            return .rest
        }
        let quiet = now - max(lastReceived, lastSent)
        if quiet < silence { return .wait(silence - quiet) }
        if pingsLeft == 0 { return .wait(silence) }
        pingsLeft -= 1
        pinged = now
        return .ping(patience)
    }
}
