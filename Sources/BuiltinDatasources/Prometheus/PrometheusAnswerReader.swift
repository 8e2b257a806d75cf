// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Turns the body of one call's answer into frames while it arrives.
struct PrometheusAnswerReader: Sendable {
    /// What may be sent on after a piece of the body: the notices first, so that they reach all frames behind them.
    struct Delivery: Sendable {
        var notices: [Notice] = []
        var frames: [DataFrame] = []
    }

    private(set) var frames: PrometheusFrames
    /// Whether frames wait for the end of the answer, where the statistics are that belong to the first.
    let waitsForStatistics: Bool
    private var parser = PrometheusAnswerParser()
    private var exemplars: [ExemplarSeries] = []
    private var waiting: [DataFrame] = []
    private var sentWarnings = 0
    private var sentInfos = 0

    init(frames: PrometheusFrames, waitsForStatistics: Bool = false) {
        self.frames = frames
        self.waitsForStatistics = waitsForStatistics
    }

    /// Reads a piece of the body, of any size.
    ///
    /// - Throws: ``PluginError`` as ``PrometheusAnswerParser/consume(_:)`` does.
    mutating func consume(_ piece: UnsafeBufferPointer<UInt8>) throws -> Delivery {
        try parser.consume(piece)
        let made = try makeFrames()
        guard !waitsForStatistics else {
            waiting += made
            return Delivery(notices: newNotices())
        }
        return Delivery(notices: newNotices(), frames: made)
    }

    /// Ends the body.
    ///
    /// - Throws: ``PluginError`` `.downstream` with the server's own error, `.badData` when the body was not complete.
    mutating func finish() throws -> Delivery {
        try parser.finish()
        guard parser.envelope.status != "error" else { throw serverError }
        var made = waiting + (try makeFrames())
        waiting = []
        if !exemplars.isEmpty { made.append(frames.frame(exemplars: exemplars)) }
        if frames.count == 0 {
            if !parser.envelope.warnings.isEmpty || !parser.envelope.infos.isEmpty {
                made.append(frames.emptyFrame(name: "Warnings"))
            } else if !frames.query.isExemplar {
                made.append(frames.emptyFrame())
            }
        }
        if let stats = parser.envelope.stats, let value = try? JSONValue(parsing: stats.text.utf8), !made.isEmpty {
            Self.add(stats: value, to: &made[0])
        }
        return Delivery(notices: newNotices(), frames: made)
    }

    /// The frame that goes along with an error, when there was no other.
    mutating func frameForError() -> DataFrame? {
        frames.count == 0 && !frames.query.isExemplar ? frames.emptyFrame() : nil
    }

    private var serverError: PluginError {
        let envelope = parser.envelope
        return PluginError(.downstream, "\(envelope.errorType): \(envelope.error)", source: .downstream)
    }

    private mutating func newNotices() -> [Notice] {
        let envelope = parser.envelope
        let warnings = envelope.warnings.dropFirst(sentWarnings)
        let infos = envelope.infos.dropFirst(sentInfos)
        sentWarnings = envelope.warnings.count
        sentInfos = envelope.infos.count
        return warnings.map { Notice(severity: .warning, text: $0) } + infos.map { Notice(severity: .info, text: $0) }
    }

    private mutating func makeFrames() throws -> [DataFrame] {
        var made: [DataFrame] = []
        let resultType = parser.envelope.resultType
        for result in parser.takeResults() {
            switch result {
            case .series(let series): made.append(frames.frame(series, resultType: resultType))
            case .scalar(let time, let value): made.append(frames.frame(scalar: value, at: time))
            case .text(let time, let text): made.append(frames.frame(text: text, at: time))
            case .exemplars(let series): exemplars.append(series)
            case .values(let values): made.append(frames.frame(values: values))
            case .labelSets(let sets): made.append(frames.frame(labelSets: sets))
            }
        }
        return made
    }

    private static func add(stats: JSONValue, to frame: inout DataFrame) {
        var custom = frame.meta?.custom?.object ?? JSONObject()
        custom["stats"] = stats
        frame.meta?.custom = .object(custom)
    }
}
