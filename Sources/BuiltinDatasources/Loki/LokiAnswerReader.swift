// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Turns the body of an answer into frames while it arrives.
///
/// The statistics, which the first frame has, come behind the data: an answer is kept until it ends or a batch is full. A
/// larger one goes out in batches as it comes, without statistics.
struct LokiAnswerReader: Sendable {
    /// What may be sent on; notices first, so that they reach all frames behind them.
    struct Delivery: Sendable {
        enum Part: Sendable {
            case frame(DataFrame)
            /// The first rows of a frame that goes on.
            case open(DataFrame)
            /// More rows of the open frame.
            case rows(DataFrame)
        }

        var notices: [Notice] = []
        var parts: [Part] = []
    }

    private let frames: LokiFrames
    private var parser = LokiAnswerParser()
    private var sentWarnings = 0
    /// Whether a batch went out before the end.
    private var isStreaming = false
    private var isCategorized = false

    /// - Parameter batchBytes: How much of an answer is kept to wait for its end; later batches have 1 MiB at most.
    init(frames: LokiFrames, batchBytes: Int = 8 << 20) {
        self.frames = frames
        parser.batchBytes = batchBytes
    }

    /// Whether there is more in what was read: call ``consume(_:)`` with an empty piece before the next.
    var hasMore: Bool { parser.isPaused }

    /// Reads a piece of the body, of any size.
    ///
    /// - Throws: ``PluginError`` `.badData` or `.limit` that says what is wrong with the server's answer.
    mutating func consume(_ piece: UnsafeBufferPointer<UInt8>) throws -> Delivery {
        try parser.consume(piece)
        var delivery = Delivery(notices: newNotices())
        guard parser.isFull else { return delivery }
        if !isStreaming { delivery.notices.append(Self.withoutStatistics) }
        delivery.parts = takeParts()
        isStreaming = true
        parser.batchBytes = min(parser.batchBytes, LokiAnswerParser.laterBatchBytes)
        return delivery
    }

    /// Ends the body, of which nothing more is to be had by ``consume(_:)``.
    ///
    /// - Throws: ``PluginError`` `.downstream` with the server's own error, `.badData` when the body was not complete.
    mutating func finish() throws -> Delivery {
        try parser.finish()
        let envelope = parser.envelope
        guard envelope.status != "error" else {
            let words = [envelope.errorType, envelope.error].filter { !$0.isEmpty }.joined(separator: ": ")
            throw PluginError(.downstream, words.isEmpty ? "the server answers with an error" : words)
        }
        var delivery = Delivery(notices: newNotices() + (limitNotice.map { [$0] } ?? []), parts: takeParts())
        guard !isStreaming else { return delivery }
        if delivery.parts.isEmpty, !envelope.warnings.isEmpty { delivery.parts = [.frame(LokiFrames.warnings)] }
        if case .frame(var first)? = delivery.parts.first, let statistics = envelope.stats, !first.fields.isEmpty {
            first.meta?.stats = LokiStatistics.rows(statistics)
            delivery.parts[0] = .frame(first)
        }
        return delivery
    }

    private mutating func takeParts() -> [Delivery.Part] {
        let type = parser.resultType ?? .streams
        guard type == .streams else { return parser.takeSeries().map { .frame(frames.frame($0, type: type)) } }
        if !isStreaming { isCategorized = parser.envelope.isCategorized }
        let isLast = !parser.isFull
        let frame = frames.frame(parser.takeLines(), isCategorized: isCategorized)
        if isStreaming { return frame.rowCount > 0 ? [.rows(frame)] : [] }
        return [isLast ? .frame(frame) : .open(frame)]
    }

    private mutating func newNotices() -> [Notice] {
        let warnings = parser.envelope.warnings.dropFirst(sentWarnings)
        sentWarnings = parser.envelope.warnings.count
        return warnings.map { Notice(severity: .warning, text: $0) }
    }

    private var limitNotice: Notice? {
        let limit = frames.query.maxLines
        guard limit > 0, parser.lines.lineCount >= limit else { return nil }
        let missing = frames.query.direction == .backward ? "earlier" : "later"
        return Notice(text: "These are \(limit) lines, as many as the limit allows; \(missing) ones may be missing")
    }

    private static let withoutStatistics = Notice(
        text: "The answer is too large to wait for its statistics; they are left out")
}
