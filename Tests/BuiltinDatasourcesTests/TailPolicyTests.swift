// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct TailPolicyTests {
    private static func closed(_ code: Int, _ reason: String = "") -> TailPolicy.End {
        .closed(.init(code: code, reason: reason))
    }

    private func failure(_ decision: TailPolicy.Decision) -> PluginError? {
        if case .fail(let error) = decision { error } else { nil }
    }

    private func pause(_ decision: TailPolicy.Decision) -> Duration? {
        if case .again(let pause) = decision { pause } else { nil }
    }

    @Test func pausesDoubleUntilLinesCome() {
        var policy = TailPolicy()

        let pauses = (0..<8).map { _ in
            pause(policy.decide(after: Self.closed(1006), hadLines: false, hasSeenLines: true))
        }
        let after = pause(policy.decide(after: Self.closed(1006), hadLines: true, hasSeenLines: true))

        let milliseconds = [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]
        #expect(pauses == milliseconds.map { .milliseconds($0) })
        #expect(after == .milliseconds(250))
    }

    @Test(arguments: [
        (400, PluginError.Code.invalid), (401, .unauthenticated), (403, .forbidden), (404, .notFound), (200, .invalid),
    ])
    func refusalsAreFinal(status: Int, code: PluginError.Code) {
        var policy = TailPolicy()
        let end = TailPolicy.End.refused(status: status, body: Array("parse error\n".utf8))

        let error = failure(policy.decide(after: end, hadLines: false, hasSeenLines: true))

        #expect(error?.code == code && error?.message == "parse error" && error?.httpStatus == status)
        #expect(error?.source == .downstream)
    }

    @Test(arguments: [500, 502, 503, 429])
    func serversThatAreBusyAreAskedAgain(status: Int) {
        var policy = TailPolicy()

        let decision = policy.decide(after: .refused(status: status, body: []), hadLines: false, hasSeenLines: false)

        #expect(pause(decision) != nil)
    }

    @Test func aMetricQueryIsToldAtOnce() {
        var policy = TailPolicy()
        let end = Self.closed(1011, "only log selector is supported")

        let error = failure(policy.decide(after: end, hadLines: false, hasSeenLines: false))

        #expect(error?.message == "the server ended the tail with code 1011: only log selector is supported")
        #expect(error?.code == .invalid)
    }

    @Test func errorsAfterLinesAreToldWhenTheyGoOn() {
        var policy = TailPolicy()
        let end = Self.closed(1011, "ingester is gone")

        let decisions = (0..<TailPolicy.maximumFailures).map { _ in
            policy.decide(after: end, hadLines: false, hasSeenLines: true)
        }

        #expect(decisions.dropLast().allSatisfy { pause($0) != nil })
        #expect(decisions.last.flatMap(failure) != nil)
    }

    @Test func networksMayFailAndProtocolsMayNot() {
        var policy = TailPolicy()

        let lost = policy.decide(after: .failed(PluginError(.io, "x")), hadLines: false, hasSeenLines: false)
        let broken = policy.decide(after: .failed(PluginError(.badData, "x")), hadLines: true, hasSeenLines: true)

        #expect(pause(lost) != nil)
        #expect(failure(broken) != nil)
    }
}
