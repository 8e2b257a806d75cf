// SPDX-License-Identifier: Apache-2.0
package import PluginABI

/// What a plugin answered to one query.
package struct QueryAnswer: Sendable {
    /// The query.
    package var refID: String
    /// One Arrow file, or one frame as JSON, each; in memory of its own, aligned to 64 bytes.
    package var frames: [ArrowBuffer] = []
    /// Empty: none.
    package var error = ""
    /// As HTTP has it; 0 when the plugin gave none.
    package var status = 0
    /// `plugin`, `downstream` or empty.
    package var errorSource = ""
    /// Whether the frames are JSON instead of Arrow.
    package var isJSON = false
}

/// Reads a `QueryDataResponse` while its bytes arrive: each frame goes straight to its own place, so that the columns can
/// be used where they are.
///
/// The message is `map<string, DataResponse>`: entries (1) of a key (1) and a response (2), which has frames (1), error (2),
/// meta (3), status (4), error source (5) and format (6).
package struct QueryAnswerParser {
    /// Where the parser is in the message.
    private enum Level: Int {
        case message, entry, response
    }

    /// More answers than a request has queries, and more frames than anybody draws: each takes far more memory than the two
    /// bytes that it can be on the wire.
    private static let maxAnswers = 4_096
    private static let maxFrames = 65_536

    private var frameCount = 0
    /// The answers so far, complete when ``finish()`` returns.
    private var answers: [QueryAnswer] = []
    private var current = QueryAnswer(refID: "")
    private var level = Level.message
    /// Bytes left of the message, of the entry and of the response within it.
    private var left: [Int]
    /// The start of an element whose rest has not come.
    private var pending: [UInt8] = []
    private var target: Target?

    /// A field whose bytes are being collected.
    private struct Target {
        enum Kind {
            case frame(FrameMemory)
            case text(Int, [UInt8])
            case skipped
        }
        var kind: Kind
        var missing: Int
    }

    /// - Parameter length: of the whole message; nothing in it is longer.
    package init(length: Int) { left = [length, 0, 0] }

    /// Takes the next bytes of the message.
    ///
    /// - Throws: ``GRPCStatus`` `.internal` for what is no such message.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(GRPCStatus) {
        var rest = bytes
        while !rest.isEmpty || target?.missing == 0 {
            if target != nil {
                try collect(&rest)
            } else {
                pending.append(rest[0])
                rest = UnsafeRawBufferPointer(rebasing: rest[1...])
                try element()
            }
        }
    }

    /// The answers, sorted as the plugin sent them.
    ///
    /// - Throws: ``GRPCStatus`` `.internal` when the message is cut off.
    package mutating func finish() throws(GRPCStatus) -> [QueryAnswer] {
        try closeLevels()
        guard level == .message, left[0] == 0, pending.isEmpty, target == nil else {
            throw Self.failure("it ends early")
        }
        return answers
    }

    private static func failure(_ fact: String) -> GRPCStatus {
        .local(.internal, "the plugin's answer is not a QueryDataResponse: \(fact)")
    }

    // MARK: Elements

    /// Acts on `pending` when it is a whole head of an element: tag and number, or tag and length.
    private mutating func element() throws(GRPCStatus) {
        var index = 0
        guard let tag = try number(&index) else { return }
        let (field, wire) = (Int(clamping: tag >> 3), tag & 7)
        var value: UInt64 = 0
        switch wire {
        case 0, 2:
            guard let read = try number(&index) else { return }
            value = read
        case 1: value = 8
        case 5: value = 4
        default: throw Self.failure("wire type \(wire)")
        }
        guard field > 0 else { throw Self.failure("field number 0") }
        let head = pending.count
        pending.removeAll(keepingCapacity: true)
        try spend(head)
        if wire == 0 { return try scalar(field, value) }
        guard value <= UInt64(Int32.max) else { throw Self.failure("a field of \(value) bytes") }
        try open(field, length: Int(value), isBytes: wire == 2)
    }

    /// A varint of `pending`; nil when its end has not come.
    private func number(_ index: inout Int) throws(GRPCStatus) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard index < pending.count else { return nil }
            let byte = pending[index]
            index += 1
            if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
            if byte & 0x80 == 0 { return value }
        }
        throw Self.failure("a number of more than ten bytes")
    }

    private mutating func scalar(_ field: Int, _ value: UInt64) throws(GRPCStatus) {
        if level == .response {
            if field == 4 { current.status = Int(Int32(truncatingIfNeeded: value)) }
            if field == 6 { current.isJSON = value == 1 }
        }
        try closeLevels()
    }

    private mutating func open(_ field: Int, length: Int, isBytes: Bool) throws(GRPCStatus) {
        guard length <= left[level.rawValue] else { throw Self.failure("a field that is longer than what holds it") }
        switch (level, isBytes ? field : 0) {
        case (.message, 1):
            try spend(length)
            level = .entry
            left[1] = length
            guard answers.count < Self.maxAnswers else { throw Self.failure("more than \(Self.maxAnswers) answers") }
            current = QueryAnswer(refID: "")
            try closeLevels()
        case (.entry, 2):
            try spend(length)
            level = .response
            left[2] = length
            try closeLevels()
        case (.response, 1):
            frameCount += 1
            guard frameCount <= Self.maxFrames else { throw Self.failure("more than \(Self.maxFrames) frames") }
            try start(.frame(FrameMemory(capacity: length)), length)
        case (.entry, 1), (.response, 2), (.response, 5): try start(.text(field, []), length)
        default: try start(.skipped, length)
        }
    }

    private mutating func start(_ kind: Target.Kind, _ length: Int) throws(GRPCStatus) {
        try spend(length)
        target = Target(kind: kind, missing: length)
    }

    /// Counts bytes against what the current level has left.
    private mutating func spend(_ count: Int) throws(GRPCStatus) {
        guard count <= left[level.rawValue] else { throw Self.failure("an element crosses the end of what holds it") }
        left[level.rawValue] -= count
    }

    /// Leaves levels of which nothing is left.
    private mutating func closeLevels() throws(GRPCStatus) {
        if level == .response, left[2] == 0 { level = .entry }
        if level == .entry, left[1] == 0 {
            answers.append(current)
            level = .message
        }
    }

    // MARK: Bytes

    private mutating func collect(_ rest: inout UnsafeRawBufferPointer) throws(GRPCStatus) {
        guard var target else { return }
        self.target = nil
        let count = min(target.missing, rest.count)
        let piece = UnsafeRawBufferPointer(rebasing: rest[..<count])
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        target.missing -= count
        switch target.kind {
        case .frame(let memory): memory.append(piece)
        case .text(let field, var text):
            // The array is alone while it grows.
            target.kind = .skipped
            text.append(contentsOf: piece)
            target.kind = .text(field, text)
        case .skipped: break
        }
        guard target.missing == 0 else {
            self.target = target
            return
        }
        switch target.kind {
        case .frame(let memory): current.frames.append(memory.buffer)
        case .text(let field, let text):
            let text = String(decoding: text, as: UTF8.self)
            switch (level, field) {
            case (.entry, _): current.refID = text
            case (_, 2): current.error = text
            default: current.errorSource = text
            }
        case .skipped: break
        }
        try closeLevels()
    }
}

/// Memory of one frame, aligned as Arrow recommends.
///
/// Safety: written by the parser only, before ``buffer`` is taken.
package final class FrameMemory: @unchecked Sendable {  // Safety: written before it is shared
    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private var count = 0

    package init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: max(64, capacity), alignment: 64)
    }

    deinit { base.deallocate() }

    /// - Precondition: there is room.
    package func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        precondition(bytes.count <= capacity - count, "more bytes than were announced")
        (base + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// The bytes so far.
    package var buffer: ArrowBuffer { ArrowBuffer(pointer: UnsafeRawPointer(base), byteCount: count, owner: self) }
}
