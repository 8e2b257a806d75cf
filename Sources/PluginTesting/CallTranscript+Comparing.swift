// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import PluginHost

/// Two values that should be one, and where they were found.
struct Mismatch {
    var place: String
    var found: String
    var expected: String

    init(_ place: String, _ found: String, _ expected: String) {
        self.place = place
        self.found = found
        self.expected = expected
    }

    func within(_ outer: String) -> Mismatch { Mismatch("\(outer), \(place)", found, expected) }
}

extension CallTranscript {
    /// The first thing that is not the same; nil when nothing differs.
    func mismatch(to other: CallTranscript) -> Mismatch? {
        for lane in Set(lanes.keys).union(other.lanes.keys).sorted() {
            if let mismatch = Self.mismatch(lanes[lane] ?? [], other.lanes[lane] ?? []) {
                return lane.isEmpty ? mismatch : mismatch.within("query '\(lane)'")
            }
        }
        return Self.mismatch(error, other.error)?.within("the end")
    }

    /// Judges a call that was broken off: what came is the beginning of what comes without, and if anything is missing,
    /// the reason is told.
    ///
    /// - Parameters:
    ///   - whole: what comes when nobody breaks the call off.
    ///   - code: the reason.
    func mismatch(asBeginningOf whole: CallTranscript, endedWith code: PluginError.Code) -> Mismatch? {
        if error == nil, mismatch(to: whole) == nil { return nil }
        if let error, error.code != code { return Self.mismatch(error, whole.error)?.within("the end") }
        for lane in Set(lanes.keys).union(whole.lanes.keys).sorted() {
            guard let mismatch = mismatch(ofLane: lane, of: whole, code) else { continue }
            return lane.isEmpty ? mismatch : mismatch.within("query '\(lane)'")
        }
        return nil
    }

    private func mismatch(ofLane lane: String, of whole: CallTranscript, _ code: PluginError.Code) -> Mismatch? {
        var events = lanes[lane] ?? []
        let expected = whole.lanes[lane] ?? []
        guard Self.mismatch(events, expected) != nil else { return nil }
        var isTold = error != nil
        if case .failed(let error)? = events.last, error.code == code {
            isTold = true
            events.removeLast()
        }
        guard isTold else {
            return Mismatch(
                "its end", "\(events.count) of \(expected.count) events and no reason", "the reason '\(code.name)'")
        }
        // The last part of a body may be cut anywhere.
        if case .bytes(let part)? = events.last, events.count <= expected.count,
            case .bytes(let all) = expected[events.count - 1], all.starts(with: part)
        {
            events[events.count - 1] = .bytes(all)
        }
        return Self.mismatch(events, Array(expected.prefix(events.count)))
    }

    // MARK: Events

    private static func mismatch(_ found: [Event], _ expected: [Event]) -> Mismatch? {
        for (index, (left, right)) in zip(found, expected).enumerated() {
            if let mismatch = mismatch(left, right) {
                return Self.isNamed(left, right) ? mismatch : mismatch.within("event \(index)")
            }
        }
        guard found.count != expected.count else { return nil }
        let index = min(found.count, expected.count)
        return Mismatch(
            "event \(index)", index < found.count ? words(for: found[index]) : "nothing more",
            index < expected.count ? words(for: expected[index]) : "nothing more")
    }

    /// Whether the mismatch of two events says by itself where it is.
    private static func isNamed(_ left: Event, _ right: Event) -> Bool {
        switch (left, right) {
        case (.frame, .frame), (.rows, .rows): true
        default: false
        }
    }

    private static func mismatch(_ found: Event, _ expected: Event) -> Mismatch? {
        switch (found, expected) {
        case (.frame(let left, let found), .frame(let right, let expected)),
            (.rows(let left, let found), .rows(let right, let expected)):
            guard left == right else { return Mismatch("its frame", "\(left)", "\(right)") }
            return FrameDifference.first(found, expected)?.within("frame \(left) '\(expected.name)'")
        case (.bytes(let found), .bytes(let expected)): return mismatch(found, expected)
        case (.checkpoint(let found), .checkpoint(let expected)): return mismatch(found, expected)?.within("checkpoint")
        case (.head(let found), .head(let expected)): return mismatch(found, expected)
        case (.failed(let found), .failed(let expected)): return mismatch(found, expected)
        case (.notice(let found), .notice(let expected)):
            return found == expected ? nil : Mismatch("notice", found.json.encoded(), expected.json.encoded())
        default: return Mismatch("its kind", words(for: found), words(for: expected))
        }
    }

    private static func mismatch(_ found: [UInt8], _ expected: [UInt8]) -> Mismatch? {
        guard found != expected else { return nil }
        let index = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        guard let index else { return Mismatch("bytes", "\(found.count) bytes", "\(expected.count) bytes") }
        return Mismatch("byte \(index)", excerpt(found, index), excerpt(expected, index))
    }

    private static func excerpt(_ bytes: [UInt8], _ index: Int) -> String {
        let part = bytes[max(0, index - 8)..<min(bytes.count, index + 16)]
        return "'\(String(decoding: part, as: UTF8.self))'"
    }

    private static func mismatch(_ found: CallHead, _ expected: CallHead) -> Mismatch? {
        if found.status != expected.status { return Mismatch("status", "\(found.status)", "\(expected.status)") }
        if found.message != expected.message {
            return Mismatch("message", "'\(found.message)'", "'\(expected.message)'")
        }
        let (left, right) = (text(found.headers), text(expected.headers))
        return left == right ? nil : Mismatch("headers", left, right)
    }

    private static func text(_ headers: HTTPHeaders) -> String {
        // The moment of an answer is none of its contents.
        headers.filter { $0.name.lowercased() != "date" }.map { "\($0.name): \($0.value)" }.joined(separator: "; ")
    }

    static func mismatch(_ found: PluginError?, _ expected: PluginError?) -> Mismatch? {
        guard let found, let expected else {
            guard found != nil || expected != nil else { return nil }
            return Mismatch("error", found.map(words) ?? "none", expected.map(words) ?? "none")
        }
        let facts: [(String, String, String)] = [
            ("code", found.code.name, expected.code.name), ("source", "\(found.source)", "\(expected.source)"),
            ("message", "'\(found.message)'", "'\(expected.message)'"),
            ("HTTP status", number(found.httpStatus), number(expected.httpStatus)),
            ("time to wait", "\(String(describing: found.retryAfter))", "\(String(describing: expected.retryAfter))"),
            ("hint", "'\(found.hint ?? "")'", "'\(expected.hint ?? "")'"),
            ("details", found.details?.text ?? "none", expected.details?.text ?? "none"),
        ]
        return facts.first { $0.1 != $0.2 }.map { Mismatch("\($0.0) of the error", $0.1, $0.2) }
    }

    private static func number(_ value: Int?) -> String { value.map { "\($0)" } ?? "none" }

    private static func words(_ error: PluginError) -> String { "\(error.code.name): \(error.message)" }

    private static func words(for event: Event) -> String {
        switch event {
        case .frame(_, let frame): "a frame '\(frame.name)' of \(frame.rowCount) rows"
        case .rows(_, let rows): "\(rows.rowCount) more rows"
        case .bytes(let bytes): "\(bytes.count) bytes"
        case .head(let head): "a head of status \(head.status)"
        case .notice(let notice): "a notice '\(notice.text)'"
        case .failed(let error): "the error \(words(error))"
        case .checkpoint(let token): "a checkpoint of \(token.count) bytes"
        }
    }
}
