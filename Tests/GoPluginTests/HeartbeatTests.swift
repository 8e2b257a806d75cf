// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import GoPlugin

/// When a silent connection is asked, and when it is given up.
struct HeartbeatTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private var pulse = Pulse(Heartbeat(silence: .seconds(5), patience: .seconds(10)))

    private func at(_ seconds: Int64) -> NIODeadline { Self.start + .seconds(seconds) }

    private mutating func look(at seconds: Int64, isAwaiting: Bool = true, isExcused: Bool = false) -> Pulse.Step {
        pulse.look(at: at(seconds), isAwaiting: isAwaiting) { isExcused }
    }

    @Test mutating func aSilentPluginIsAskedOnceAndGivenUp() {
        #expect(pulse.sent(at: at(0)) == .seconds(5))
        #expect(pulse.sent(at: at(1)) == nil, "one watch serves all calls")
        #expect(look(at: 5) == .wait(.seconds(1)), "the youngest call began a second later")
        #expect(look(at: 6) == .ping(.seconds(10)))
        #expect(look(at: 16) == .dead)
    }

    @Test mutating func anyByteIsASignOfLife() {
        _ = pulse.sent(at: at(0))
        #expect(look(at: 5) == .ping(.seconds(10)))
        pulse.received(at: at(6))
        #expect(look(at: 15) == .ping(.seconds(10)), "it is asked again when it falls silent again")
        pulse.received(at: at(16))
        #expect(look(at: 25) == .wait(.seconds(5)), "servers of gRPC end a connection that asks a third time")
        pulse.answered()
        #expect(look(at: 30) == .ping(.seconds(10)))
    }

    @Test mutating func aCallThatSomebodyLeftIsStillOwedASign() {
        _ = pulse.sent(at: at(0))
        #expect(look(at: 5, isAwaiting: false) == .ping(.seconds(10)))
        #expect(look(at: 15, isAwaiting: false) == .dead)
    }

    @Test mutating func nothingIsAskedOfAPluginThatOwesNothing() {
        _ = pulse.sent(at: at(0))
        pulse.received(at: at(1))
        #expect(look(at: 5, isAwaiting: false) == .rest)
        #expect(!pulse.isWatched)
        #expect(pulse.sent(at: at(60)) == .seconds(5), "the next call begins a new watch")
    }

    @Test mutating func aDebuggerMayHoldAPlugin() {
        _ = pulse.sent(at: at(0))
        #expect(look(at: 5) == .ping(.seconds(10)))
        #expect(look(at: 15, isExcused: true) == .ping(.seconds(10)))
        #expect(look(at: 25) == .dead)
    }
}
