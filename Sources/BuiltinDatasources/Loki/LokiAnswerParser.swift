// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads an answer of Loki's query API while it arrives, straight into columns.
///
/// Pieces may have any size. Lines and series are handed out while the rest still comes, so that memory holds a batch and
/// the end of a token, never the body. Unknown keys are skipped.
struct LokiAnswerParser: PieceParser {
    /// What an array or object that is being read stands for.
    enum Place: Sendable {
        case document, root, warnings, data, flags, result, stats, ignored
        case entry, stream, metric, values, pair
        case categories, structured, parsed
    }

    static let maximumWarnings = 1000
    /// The size of all batches but the first.
    static let laterBatchBytes = 1 << 20

    private(set) var envelope = LokiEnvelope()
    /// The series that are complete and not taken yet.
    private(set) var series: [LokiSeries] = []
    private var seriesBytes = 0
    /// What makes ``isFull``.
    var batchBytes = 8 << 20
    private(set) var lines = LogLineBuilder()

    var tokenizer = JSONTokenizer()
    var unread: [UInt8] = []
    private var places: [Place] = []
    private var place = Place.document
    private var key = ""
    private var stats = JSONCapture()
    private var samples = SampleBuilder()
    private var labels: Labels = [:]
    private var isStream = false
    private var scalarTime: Timestamp?

    init() {}

    /// Whether what was collected should be taken before more is read.
    var isFull: Bool { lines.byteCount + seriesBytes >= batchBytes }
    /// Whether the last piece was not read to its end, because of ``isFull``; go on with an empty piece.
    private(set) var isPaused = false

    /// Checks that the body was complete.
    ///
    /// - Throws: ``PluginError`` `.badData` when the body was cut off or is no answer of a Loki API.
    mutating func finish() throws {
        try checkEnd()
        guard let status = envelope.status else {
            throw JSONTokenizer.failure("has no \"status\"; check that the URL leads to a Loki API")
        }
        guard status == "success" || status == "error" else {
            throw JSONTokenizer.failure("has the unknown status \"\(status.prefix(100))\"")
        }
        guard status == "error" || envelope.resultType != nil else {
            throw JSONTokenizer.failure("has no \"resultType\"; check that the URL leads to a Loki API")
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
        case .entry: beginEntry()
        case .stream: isStream = true
        case .pair: beginPair()
        case .stats where places.last != .stats && isObject: stats.begin()
        default: break
        }
        if !isObject, place != .warnings, place != .flags { key = "" }
    }

    /// What an array or object stands for that begins here.
    private var child: Place {
        switch (place, key) {
        case (.document, _): .root
        case (.root, "data"): .data
        case (.root, "warnings"): .warnings
        case (.data, "encodingFlags"): .flags
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
        case .entry where !isStream: endSeries()
        case .stats where place != .stats: envelope.stats = stats.finish()
        default: break
        }
        key = ""
    }

    private mutating func beginEntry() {
        isStream = envelope.resultType == .streams
        labels = [:]
        lines.beginStream()
    }

    private mutating func beginPair() {
        if isStream { lines.beginLine() } else { samples.beginSample() }
    }

    private mutating func endSeries() {
        let columns = samples.finish()
        series.append(LokiSeries(labels: labels, times: columns.times, values: columns.values))
        seriesBytes += 16 * columns.times.count + labels.reduce(64) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    }
}

// MARK: - Values

extension LokiAnswerParser {
    private mutating func take(text token: JSONTokenizer.Text, in bytes: Span<UInt8>) throws {
        switch (place, key) {
        case (.ignored, _), (.stats, _): return
        case (.pair, _) where isStream: try take(linePart: token, in: bytes)
        case (.pair, _): try samples.take(value: bytes.double(in: token.range))
        case (.stream, _): try lines.addStreamLabel(key, try bytes.text(of: token))
        case (.structured, _): try lines.addLineLabel(key, try bytes.text(of: token), .structured)
        case (.parsed, _): try lines.addLineLabel(key, try bytes.text(of: token), .parsed)
        case (.metric, _): try addMetricLabel(bytes.text(of: token))
        case (.root, "status"): envelope.status = try bytes.text(of: token)
        case (.root, "errorType"): envelope.errorType = try bytes.text(of: token)
        case (.root, "error"), (.root, "message"): envelope.error = try bytes.text(of: token)
        case (.data, "resultType"): try take(resultType: bytes.text(of: token))
        case (.flags, _): if try bytes.text(of: token) == "categorize-labels" { envelope.isCategorized = true }
        case (.warnings, _): take(warning: try bytes.text(of: token))
        case (.result, _): try endScalar(bytes.double(in: token.range))
        default: try refuse("a string")
        }
    }

    private mutating func take(linePart token: JSONTokenizer.Text, in bytes: Span<UInt8>) throws {
        guard lines.hasTime else { return lines.take(time: try bytes.nanoseconds(in: token.range)) }
        try bytes.withText(of: token) { try lines.take(line: $0) }
    }

    private mutating func addMetricLabel(_ value: String) throws {
        labels[key] = value
        guard labels.count <= LogLabels.maximumCount else {
            throw PluginError(
                .limit, "the server's answer has a series with more than \(LogLabels.maximumCount) labels",
                source: .downstream)
        }
    }

    private mutating func take(number range: Range<Int>, in bytes: Span<UInt8>) throws {
        switch (place, key) {
        case (.ignored, _), (.stats, _): return
        case (.pair, _) where isStream: throw LogLineBuilder.malformed
        case (.pair, _) where samples.time == nil: samples.time = try bytes.timestamp(in: range)
        case (.pair, _): try samples.take(value: bytes.double(in: range))
        case (.result, _) where scalarTime == nil: scalarTime = try bytes.scalarTime(in: range)
        case (.result, _): try endScalar(bytes.double(in: range))
        default: try refuse("a number")
        }
    }

    /// A scalar is a series of one sample without labels.
    private mutating func endScalar(_ value: Double) throws {
        guard let time = scalarTime, series.isEmpty else {
            throw JSONTokenizer.failure("has a scalar that is not [time, value]")
        }
        series.append(LokiSeries(labels: [:], times: Column([time]), values: Column([value])))
    }

    /// Null stands for an empty array or object.
    private func takeNull() throws {
        switch place {
        case .document, .values, .pair, .stream, .metric, .structured, .parsed, .result: try refuse("null")
        default: return
        }
    }

    private mutating func take(resultType: String) throws {
        guard let type = LokiEnvelope.ResultType(rawValue: resultType) else {
            throw PluginError(.badData, "unknown result type: \(resultType.prefix(100))", source: .downstream)
        }
        envelope.resultType = type
    }

    private mutating func take(warning: String) {
        if envelope.warnings.count < Self.maximumWarnings { envelope.warnings.append(warning) }
    }

    /// Throws unless the value belongs to a key that nobody knows.
    private func refuse(_ found: String) throws {
        switch (place, child) {
        case (.ignored, _), (.stats, _): return
        case (.stream, _), (.metric, _), (.structured, _), (.parsed, _): throw misfit(found, "a string")
        case (.root, .ignored) where !["status", "errorType", "error", "message"].contains(key): return
        case (.data, .ignored) where key != "resultType": return
        case (.entry, .ignored), (.categories, .ignored): return
        default: throw misfit(found, nil)
        }
    }

    private func misfit(_ found: String, _ wanted: String?) -> PluginError {
        let subject = key.isEmpty ? "an element of \(place.name)" : "\"\(key.prefix(100))\" in \(place.name)"
        let remedy = wanted.map { ", expected \($0)" } ?? ""
        return JSONTokenizer.failure("is not that of a Loki API: \(subject) is \(found)\(remedy)")
    }
}

extension LokiAnswerParser.Place {
    /// Whether it is an object; nil when it may be either.
    var isObject: Bool? {
        switch self {
        case .document, .ignored, .stats: nil
        case .root, .data, .entry, .stream, .metric, .categories, .structured, .parsed: true
        case .warnings, .flags, .result, .values, .pair: false
        }
    }

    /// Whether arrays and objects below may be skipped: later versions may add some.
    var mayHoldUnknown: Bool {
        switch self {
        case .ignored, .root, .data, .entry, .categories: true
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

// MARK: - Times and texts

extension Span<UInt8> {
    /// A time in whole nanoseconds since 1970, as Loki writes it in a string.
    ///
    /// - Throws: ``PluginError`` `.badData`.
    fileprivate func nanoseconds(in range: Range<Int>) throws -> Timestamp {
        let text = extracting(range.lowerBound..<Swift.min(range.upperBound, range.lowerBound + 60))
            .withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        guard range.count <= 20, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2D }),
            let number = Int64(text)
        else {
            throw JSONTokenizer.failure("has a line whose time is not in nanoseconds: \"\(text)\"")
        }
        return Timestamp(nanoseconds: number)
    }

    /// The time of a scalar, which Loki gives in milliseconds where all others are in seconds.
    ///
    /// Seconds that large would be past the year 5000, and milliseconds that small in January 1970.
    fileprivate func scalarTime(in range: Range<Int>) throws -> Timestamp {
        let number = try double(in: range)
        guard number >= 100_000_000_000, number < 9_223_372_036_854 else { return try timestamp(in: range) }
        return Timestamp(milliseconds: Int64(number))
    }

    /// Calls a function with the text of a string token.
    ///
    /// - Throws: ``PluginError`` `.badData` for bytes that are not UTF-8 and for bad escapes.
    fileprivate func withText(
        of token: JSONTokenizer.Text, _ body: (UnsafeBufferPointer<UInt8>) throws -> Void
    ) throws {
        var text = try text(of: token)
        try text.withUTF8 { try body($0) }
    }
}
