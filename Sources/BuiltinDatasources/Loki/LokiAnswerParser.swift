// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads an answer of Loki's query API while it arrives, straight into columns.
///
/// Pieces may have any size. Lines and series are handed out while the rest still comes, so that memory holds a batch and
/// the end of a token, never the body. Unknown keys are skipped. A message of the live tail, which has its streams at the
/// top, is read by the same rules.
struct LokiAnswerParser: PieceParser {
    /// What an array or object that is being read stands for.
    enum Place: Sendable {
        case document, root, warnings, data, flags, result, stats, ignored
        case entry, stream, metric, values, pair
        case categories, structured, parsed
        case dropped
    }

    static let maximumWarnings = 1000
    /// The most that a document which is read whole may take.
    private static let wholeBytes = 128 << 20
    /// The size of all batches but the first.
    static let laterBatchBytes = 1 << 20

    var envelope = LokiEnvelope()
    /// The series that are complete and not taken yet.
    var series: [LokiSeries] = []
    private var seriesBytes = 0
    /// What makes ``isFull``.
    var batchBytes = 8 << 20
    var lines = LogLineBuilder()

    var tokenizer = JSONTokenizer()
    var unread: [UInt8] = []
    private var places: [Place] = []
    var place = Place.document
    var key = ""
    private var stats = JSONCapture()
    var samples = SampleBuilder()
    var labels: Labels = [:]
    var isStream = false
    /// What the entries so far are, also while ``LokiEnvelope/resultType`` has not come yet.
    private var entryType: LokiEnvelope.ResultType?
    var hasResult = false
    /// Whether the entry that is being read has a list of points.
    private var hasValues = false
    var scalarTime: Timestamp?

    private let isTail: Bool

    /// - Parameters:
    ///   - isTail: Whether the document is a message of the live tail.
    ///   - collectsKeys: Whether lines get their ``LogLineKey``; the document is then read whole.
    init(isTail: Bool = false, collectsKeys: Bool = false) {
        self.isTail = isTail
        lines.collectsKeys = collectsKeys
        if collectsKeys { batchBytes = Self.wholeBytes }
        if isTail { envelope.resultType = .streams }
    }

    /// Whether what was collected should be taken before more is read.
    var isFull: Bool { lines.byteCount + seriesBytes >= batchBytes }
    /// Whether the last piece was not read to its end, because of ``isFull``; go on with an empty piece.
    private(set) var isPaused = false

    /// What the answer says that it is, or else what its entries look like.
    var resultType: LokiEnvelope.ResultType? { envelope.resultType ?? entryType }

    /// Reads the next piece of a body that is read whole.
    ///
    /// - Throws: ``PluginError`` `.limit` as soon as the batch is full; `.badData`.
    mutating func consumeWhole(_ piece: UnsafeBufferPointer<UInt8>) throws {
        try consume(piece)
        guard !isPaused else {
            throw PluginError(
                .limit, "the server's answer takes more than \(batchBytes) bytes; ask for fewer lines or labels",
                source: .downstream)
        }
    }

    /// Checks that the body was complete.
    ///
    /// - Throws: ``PluginError`` `.badData` when the body was cut off or is no answer of a Loki API.
    mutating func finish() throws {
        try checkEnd()
        guard !isTail else { return }
        guard let status = envelope.status else {
            throw JSONTokenizer.failure("has no \"status\"; check that the URL leads to a Loki API")
        }
        guard status == "success" || status == "error" else {
            throw JSONTokenizer.failure("has the unknown status \"\(status.prefix(100))\"")
        }
        guard status == "success" else { return }
        guard envelope.resultType != nil else {
            throw JSONTokenizer.failure("has no \"resultType\"; check that the URL leads to a Loki API")
        }
        guard hasResult else {
            throw JSONTokenizer.failure("has no \"result\"; check that the URL leads to a Loki API")
        }
    }

    /// Hands out the series that are complete.
    mutating func takeSeries() -> [LokiSeries] {
        defer {
            series.removeAll(keepingCapacity: true)
            seriesBytes = 0
        }
        return series
    }

    mutating func takeLines() -> LogLineBuilder.Columns { lines.takeColumns() }

    mutating func parse(_ bytes: Span<UInt8>) throws -> Int {
        var position = 0
        isPaused = false
        while true {
            if isFull {
                isPaused = true
                break
            }
            if place == .values, !isStream { try samples.takeRun(in: bytes, at: &position, &tokenizer) }
            let start = position
            let token = try tokenizer.next(in: bytes, at: &position)
            if place == .stats { stats.append(bytes, start..<position) }
            guard let token else { break }
            try take(token, in: bytes)
        }
        tokenizer.bytesBefore += position
        return position
    }
}

// MARK: - Structure

extension LokiAnswerParser {
    private mutating func take(_ token: JSONTokenizer.Token, in bytes: Span<UInt8>) throws {
        switch token {
        case .beginObject: try begin(isObject: true)
        case .beginArray: try begin(isObject: false)
        case .endObject, .endArray: try end()
        case .key(let text): key = place == .ignored || place == .stats ? "" : try bytes.text(of: text)
        case .string(let text): try take(text: text, in: bytes)
        case .number(let range): try take(number: range, in: bytes)
        case .null: try takeNull()
        case .bool: try refuse("a bool")
        }
    }

    private mutating func begin(isObject: Bool) throws {
        let child = child
        let found = isObject ? "an object" : "an array"
        guard child != .ignored || place.mayHoldUnknown else { throw misfit(found, nil) }
        if let wantsObject = child.isObject, wantsObject != isObject {
            throw misfit(found, wantsObject ? "an object" : "an array")
        }
        places.append(place)
        place = child
        switch place {
        case .result: hasResult = true
        case .entry: beginEntry()
        case .stream:
            isStream = true
            try self.found(.streams)
        case .values: hasValues = true
        case .pair: beginPair()
        case .ignored where places.last == .dropped: envelope.droppedCount += 1
        case .stats where places.last != .stats && isObject: stats.begin()
        default: break
        }
        if !isObject, place != .warnings, place != .flags { key = "" }
    }

    /// What an array or object stands for that begins here.
    var child: Place {
        switch (place, key) {
        case (.document, _): .root
        case (.root, "data"): .data
        case (.root, "warnings"): .warnings
        case (.root, "streams") where isTail: .result
        case (.root, "dropped_entries") where isTail: .dropped
        case (.data, "encodingFlags"), (.root, "encodingFlags"): .flags
        case (.data, "result"): .result
        case (.data, "stats"), (.stats, _): .stats
        case (.result, _): .entry
        case (.entry, "stream"): .stream
        case (.entry, "metric"): .metric
        case (.entry, "values"): .values
        case (.entry, "value"), (.values, _): .pair
        case (.pair, _) where isStream: .categories
        case (.categories, "structuredMetadata"): .structured
        case (.categories, "parsed"): .parsed
        default: .ignored
        }
    }

    private mutating func end() throws {
        let ended = place
        place = places.removeLast()
        switch ended {
        case .stream: lines.endStreamLabels()
        case .pair where isStream: try lines.endLine()
        case .pair: try samples.endSample()
        case .entry: try endEntry()
        case .stats where place != .stats: envelope.stats = stats.finish()
        default: break
        }
        key = ""
    }

    private mutating func beginEntry() {
        isStream = envelope.resultType == .streams
        hasValues = false
        labels = [:]
        lines.beginStream()
    }

    private mutating func beginPair() {
        if isStream { lines.beginLine() } else { samples.beginSample() }
    }

    private mutating func endEntry() throws {
        if !isStream { endSeries() }
        try found(isStream ? .streams : hasValues ? .matrix : .vector)
    }

    /// Notes what the result consists of, which is of one kind and the declared one.
    ///
    /// - Throws: ``PluginError`` `.badData`.
    mutating func found(_ type: LokiEnvelope.ResultType) throws {
        guard resultType?.resembles(type) ?? true else { throw contradiction(type) }
        entryType = entryType ?? type
    }

    private func contradiction(_ found: LokiEnvelope.ResultType) -> PluginError {
        JSONTokenizer.failure(
            "contradicts itself: its result type is \(resultType?.rawValue ?? "unknown"), and a result is that of "
                + found.rawValue)
    }

    mutating func take(resultType name: String) throws {
        guard let type = LokiEnvelope.ResultType(rawValue: name) else {
            throw PluginError(.badData, "unknown result type: \(name.prefix(100))", source: .downstream)
        }
        envelope.resultType = type
        if let entryType, !type.resembles(entryType) { throw contradiction(entryType) }
    }

    private mutating func endSeries() {
        let columns = samples.finish()
        series.append(LokiSeries(labels: labels, times: columns.times, values: columns.values))
        seriesBytes += 16 * columns.times.count + labels.reduce(64) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    }
}

extension LokiAnswerParser.Place {
    /// Whether it is an object; nil when it may be either.
    var isObject: Bool? {
        switch self {
        case .document, .ignored, .stats: nil
        case .root, .data, .entry, .stream, .metric, .categories, .structured, .parsed: true
        case .warnings, .flags, .result, .values, .pair, .dropped: false
        }
    }

    /// Whether arrays and objects below may be skipped: later versions may add some.
    var mayHoldUnknown: Bool {
        switch self {
        case .ignored, .root, .data, .entry, .categories, .dropped: true
        default: false
        }
    }

    /// For messages.
    var name: String {
        switch self {
        case .document, .root: "the answer"
        case .entry: "a result"
        case .stream: "the labels of a stream"
        case .metric: "the labels of a series"
        case .pair: "a value"
        case .structured: "structured metadata"
        case .parsed: "parsed labels"
        default: "\"\(self)\""
        }
    }
}
