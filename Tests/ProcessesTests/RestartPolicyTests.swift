// SPDX-License-Identifier: Apache-2.0
import Processes
import Testing

struct RestartPolicyTests {
    private let second: Int64 = 1_000_000_000

    @Test func withoutFailuresAProcessStartsAtOnce() {
        var policy = RestartPolicy()

        #expect(policy.decide(at: 7) == .start(at: 7))
    }

    @Test func eachFailureMakesThePauseLonger() {
        var policy = RestartPolicy()
        var pauses: [Int64] = []
        for failure in 0..<4 {
            policy.failed(at: Int64(failure) * second)
            guard case .start(let time) = policy.decide(at: Int64(failure) * second) else { continue }
            pauses.append((time - Int64(failure) * second) / second)
        }

        #expect(pauses == [0, 1, 5, 30])
    }

    @Test func theFifthFailureOpensTheBreakerUntilTheFirstIsOld() {
        var policy = RestartPolicy()
        for failure in 0..<5 { policy.failed(at: Int64(failure) * second) }

        #expect(policy.decide(at: 5 * second) == .refuse(until: 600 * second))
        #expect(policy.decide(at: 600 * second) == .start(at: 34 * second))
    }

    @Test func oldFailuresAreForgotten() {
        var policy = RestartPolicy()
        policy.failed(at: 0)

        #expect(policy.decide(at: 601 * second) == .start(at: 601 * second))
    }
}
