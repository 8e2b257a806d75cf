// SPDX-License-Identifier: Apache-2.0
import GoPlugin
import Testing

struct RestartPolicyTests {
    @Test func pausesGrowAndThenItStops() {
        var policy = RestartPolicy()
        let now = ContinuousClock.now
        let decisions = (0..<5).map { policy.failed(at: now + .seconds($0)) }

        #expect(
            decisions == [
                .restart(after: .zero), .restart(after: .seconds(1)), .restart(after: .seconds(5)),
                .restart(after: .seconds(30)), .stop,
            ])
        let tries = [599, 600].map { policy.mayTry(at: now + .seconds($0)) }
        #expect(tries == [false, true])
    }

    @Test func oldFailuresDoNotCount() {
        var policy = RestartPolicy()
        let now = ContinuousClock.now

        let decisions = [0, 11, 22, 33, 44, 55].map { policy.failed(at: now + .seconds($0 * 60)) }

        #expect(decisions == Array(repeating: .restart(after: .zero), count: 6))
    }
}
