// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import Testing

@testable import PluginTesting

/// What counts as the same, and as the beginning of it.
struct CallTranscriptTests {
    private static let frames = (0..<3).map { DataFrame(name: "f", refID: "A", fields: [Field("v", [Double($0)])]) }

    private func transcript(_ events: [CallEvent], end: PluginError?? = nil) -> CallTranscript {
        var transcript = CallTranscript()
        for event in events { transcript.add(event) }
        if let end { transcript.add(.completed(end)) }
        return transcript
    }

    private func frame(_ number: UInt32) -> CallEvent { .frame(number: number, Self.frames[Int(number)]) }

    private static let cancelled = PluginError(.cancelled, "the call was cancelled")

    @Test func aBeginningWithItsReasonIsWhatACancelledCallGives() {
        let whole = transcript([frame(0), frame(1)], end: .some(nil))

        for (events, end) in [
            ([frame(0)], Self.cancelled), ([], Self.cancelled), ([frame(0), frame(1)], Self.cancelled),
            ([frame(0), frame(1)], nil), ([frame(0), .failed(Self.cancelled, refID: "A")], nil),
        ] as [([CallEvent], PluginError?)] {
            let mismatch = transcript(events, end: end).mismatch(asBeginningOf: whole, endedWith: .cancelled)
            #expect(mismatch == nil, "\(events.count) events")
        }
    }

    @Test func aBeginningWithoutAReasonIsNot() {
        let whole = transcript([frame(0), frame(1)], end: .some(nil))

        for (events, end) in [
            ([frame(0)], nil), ([], nil), ([frame(1)], Self.cancelled), ([frame(0), frame(2)], Self.cancelled),
            ([frame(0)], PluginError(.internal, "broken")),
            ([frame(0), .failed(PluginError(.io, "gone"), refID: "A")], nil),
        ] as [([CallEvent], PluginError?)] {
            let mismatch = transcript(events, end: end).mismatch(asBeginningOf: whole, endedWith: .cancelled)
            #expect(mismatch != nil, "\(events.count) events")
        }
    }

    @Test func whatComesAfterTheEndIsCounted() {
        var late = transcript([frame(0)], end: .some(nil))
        late.add(frame(1))

        #expect(late.lateEvents == 1)
    }

    @Test func queriesHaveAnOrderOfTheirOwn() {
        let other = DataFrame(name: "g", refID: "B", fields: [Field("v", [1.5])])
        let first = transcript([frame(0), .frame(number: 7, other), frame(1)], end: .some(nil))
        let second = transcript([.frame(number: 9, other), frame(0), frame(1)], end: .some(nil))
        let third = transcript([.frame(number: 9, other), frame(1), frame(0)], end: .some(nil))

        #expect(first.mismatch(to: second) == nil)
        #expect(first.mismatch(to: third) != nil)
    }

    @Test func whatGrafanasProtocolDropsIsNotCompared() {
        let error = PluginError(.invalid, "bad", hint: "mend it")
        let carried = PluginError(.internal, "bad", source: .plugin, httpStatus: 400)
        let ours = transcript(
            [frame(0), .rows(number: 0, Self.frames[1]), .checkpoint([1]), .failed(error, refID: "A")], end: .some(nil))
        let joined = DataFrame(name: "f", refID: "A", meta: FrameMeta(), fields: [Field("v", [0.0, 1.0])])
        let theirs = transcript([.frame(number: 3, joined), .failed(carried, refID: "A")], end: .some(nil))

        #expect(ours.mismatch(to: theirs) != nil)
        #expect(ours.asGrafanaCarriesIt.mismatch(to: theirs.asGrafanaCarriesIt) == nil)
    }

    @Test(arguments: [
        (Column([1.5, .nan]), Column([1.5, Double(bitPattern: 0x7ff8_0000_0000_0001)]), 1),
        (Column([0.0]), Column([-0.0]), 0), (Column(["a", nil]), Column(["a", ""] as [String?]), 1),
        (Column([true, false]), Column([true, true]), 1), (Column([Int8(-1)]), Column([Int8(1)]), 0),
        (Column([JSONText("{}")]), Column([JSONText("{ }")]), 0),
        (Column([Float.nan]), Column([Float(bitPattern: 0x7fc0_0001)]), 0),
    ])
    func oneBitIsADifference(left: Column, right: Column, row: Int) {
        let (found, expected) = (Field("v", column: left), Field("v", column: right))
        let mismatch = FrameDifference.first(DataFrame(fields: [found]), DataFrame(fields: [expected]))

        #expect(mismatch?.place == "field 'v', row \(row)", "\(mismatch?.place ?? "none")")
        #expect(FrameDifference.first(DataFrame(fields: [found]), DataFrame(fields: [found])) == nil)
    }
}
