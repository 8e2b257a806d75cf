// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Reads an answer of the Prometheus API while it arrives, straight into columns.
///
/// Pieces may have any size. A series is handed out as soon as its object ends, so that memory holds one series and the
/// end of a token, never the body. Keys may come in any order; unknown ones are skipped. Long runs of samples take a
/// fast path (``SampleBuilder/takeRun(in:at:_:)``); everything else goes token by token through ``take(_:in:)``.
struct PrometheusAnswerParser: PieceParser {
    /// What an array or object that is being read stands for.
    enum Place: Sendable {
        case document, root, notices, ignored, stats
        case data, result, series, labels, values, sample
        case histograms, point, histogram, buckets, bucket
        case list, element, exemplars, exemplar, exemplarLabels
    }

    static let maximumExemplars = 1_000_000
    static let maximumNotices = 1000

    private(set) var envelope = PrometheusEnvelope()
    /// The results that are complete and not taken yet.
    private(set) var results: [PrometheusResult] = []

    var tokenizer = JSONTokenizer()
    var unread: [UInt8] = []
    private var places: [Place] = []
    private(set) var place = Place.document
    private var key = ""
    private var stats = JSONCapture()

    var samples = SampleBuilder()
    private var histogram = HistogramBuilder()
    private var labels: Labels = [:]
    private var isRange = false
    private var isHistogram = false
    private var exemplar = ExemplarBuilder()
    private var list = ListBuilder()
    private var scalar = ScalarBuilder()

    init() {}

    /// Checks that the body was complete; what it says is then in ``results`` and ``envelope``.
    ///
    /// - Throws: ``PluginError`` `.badData` when the body was cut off or is no answer of a Prometheus API.
    mutating func finish() throws {
        try checkEnd()
        guard let status = envelope.status else {
            throw JSONTokenizer.failure("has no \"status\"; check that the URL leads to a Prometheus API")
        }
        guard status == "success" || status == "error" else {
            throw JSONTokenizer.failure("has the unknown status \"\(status.prefix(100))\"")
        }
        if status == "success" { results += list.finish() }
    }

    /// Hands out the results that are complete.
    mutating func takeResults() -> [PrometheusResult] {
        defer { results.removeAll(keepingCapacity: true) }
        return results
    }

    mutating func parse(_ bytes: Span<UInt8>) throws -> Int {
        var position = 0
        while true {
            if place == .values { try samples.takeRun(in: bytes, at: &position, &tokenizer) }
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

extension PrometheusAnswerParser {
    private mutating func take(_ token: JSONTokenizer.Token, in bytes: Span<UInt8>) throws {
        switch token {
        case .beginObject: try begin(isObject: true)
        case .beginArray: try begin(isObject: false)
        case .endObject, .endArray: try end()
        case .key(let text): key = place == .ignored || place == .stats ? "" : try bytes.text(of: text)
        case .string(let text): try take(text: text, in: bytes)
        case .number(let range): try take(number: range, in: bytes)
        case .null: try take(null: ())
        case .bool: try take(bool: ())
        }
    }

    private mutating func begin(isObject: Bool) throws {
        let child = child
        guard child != .ignored || place.mayHoldUnknown else {
            throw misfit(isObject ? "an object" : "an array", nil)
        }
        if let wantsObject = child.isObject, wantsObject != isObject {
            throw misfit(isObject ? "an object" : "an array", wantsObject ? "an object" : "an array")
        }
        places.append(place)
        place = child == .data && !isObject ? .list : child
        switch place {
        case .series: beginSeries()
        case .values, .histograms: isRange = true
        case .sample: samples.beginSample()
        case .point: histogram.beginPoint()
        case .bucket: histogram.beginBucket()
        case .element: beginElement()
        case .exemplar: exemplar.begin()
        case .stats where places.last != .stats && isObject: stats.begin()
        default: break
        }
        if place == .histograms || place == .point { isHistogram = true }
        if place == .labels { labels = [:] }
        if !isObject, place != .notices { key = "" }
    }

    /// What an array or object stands for that begins here.
    private var child: Place {
        switch (place, key) {
        case (.document, _): .root
        case (.root, "data"): .data
        case (.root, "warnings"), (.root, "infos"): .notices
        case (.data, "result"): .result
        case (.data, "stats"), (.stats, _): .stats
        case (.result, _): .series
        case (.series, "metric"), (.element, "seriesLabels"): .labels
        case (.series, "values"): .values
        case (.series, "value"), (.values, _): .sample
        case (.series, "histograms"): .histograms
        case (.series, "histogram"), (.histograms, _): .point
        case (.point, _): .histogram
        case (.histogram, "buckets"): .buckets
        case (.buckets, _): .bucket
        case (.list, _): .element
        case (.element, "exemplars"): .exemplars
        case (.exemplars, _): .exemplar
        case (.exemplar, "labels"): .exemplarLabels
        default: .ignored
        }
    }

    private mutating func end() throws {
        let ended = place
        place = places.removeLast()
        switch ended {
        case .sample: try samples.endSample()
        case .bucket: try histogram.endBucket()
        case .point: try histogram.endPoint()
        case .series: endSeries()
        case .data: try endData()
        case .exemplar: try exemplar.end()
        case .element: list.append(exemplar.endSeries(), labels: labels)
        case .stats where place != .stats: envelope.stats = stats.finish()
        default: break
        }
        key = ""
    }

    private mutating func beginSeries() {
        labels = [:]
        isRange = false
        isHistogram = false
    }

    private mutating func beginElement() {
        labels = [:]
        exemplar.beginSeries()
    }

    private mutating func endSeries() {
        let points: PrometheusSeries.Points
        let floats = samples.finish()
        if isHistogram {
            points = .buckets(histogram.finish())
        } else {
            points = .floats(times: floats.times, values: floats.values)
        }
        results.append(.series(PrometheusSeries(labels: labels, isRange: isRange, points: points)))
    }

    private mutating func endData() throws {
        if let result = try scalar.finish(resultType: envelope.resultType) { results.append(result) }
    }
}

// MARK: - Values

extension PrometheusAnswerParser {
    private mutating func take(text token: JSONTokenizer.Text, in bytes: Span<UInt8>) throws {
        switch (place, key) {
        case (.ignored, _), (.stats, _), (.histogram, "count"), (.histogram, "sum"): return
        case (.sample, _): try samples.take(value: bytes.double(in: token.range))
        case (.bucket, _): try histogram.take(bytes.double(in: token.range))
        case (.exemplar, "value"): exemplar.value = try bytes.double(in: token.range)
        case (.root, "status"): envelope.status = try bytes.text(of: token)
        case (.root, "errorType"): envelope.errorType = try bytes.text(of: token)
        case (.root, "error"): envelope.error = try bytes.text(of: token)
        case (.data, "resultType"): try take(resultType: bytes.text(of: token))
        case (.result, _): try scalar.take(text: bytes.text(of: token))
        case (.labels, _): labels[key] = try bytes.text(of: token)
        case (.exemplarLabels, _): exemplar.labels[key] = try bytes.text(of: token)
        case (.notices, _): take(notice: try bytes.text(of: token))
        case (.list, _): list.append(try bytes.text(of: token))
        case (.element, _): exemplar.texts[key] = try bytes.text(of: token)
        default: try refuse("a string")
        }
    }

    private mutating func take(number range: Range<Int>, in bytes: Span<UInt8>) throws {
        switch (place, key) {
        case (.ignored, _), (.stats, _): return
        case (.sample, _) where samples.time == nil: samples.time = try bytes.timestamp(in: range)
        case (.sample, _): try samples.take(value: bytes.double(in: range))
        case (.point, _): try histogram.take(time: bytes.timestamp(in: range))
        case (.bucket, _): try histogram.take(bytes.double(in: range))
        case (.result, _): try scalar.take(time: bytes.timestamp(in: range))
        case (.exemplar, "timestamp"): exemplar.time = try bytes.timestamp(in: range)
        case (.exemplar, "value"): exemplar.value = try bytes.double(in: range)
        default: try refuse("a number")
        }
    }

    /// Null stands for an empty array or object.
    private func take(null: Void) throws {
        switch place {
        case .document, .values, .sample, .histograms, .point, .buckets, .bucket, .labels, .exemplarLabels, .exemplars,
            .result, .list:
            try refuse("null")
        default: return
        }
    }

    private func take(bool: Void) throws { try refuse("a bool") }

    private mutating func take(resultType: String) throws {
        guard ["matrix", "vector", "scalar", "string"].contains(resultType) else {
            throw PluginError(.badData, "unknown result type: \(resultType.prefix(100))", source: .downstream)
        }
        envelope.resultType = resultType
    }

    private mutating func take(notice: String) {
        guard envelope.warnings.count + envelope.infos.count < Self.maximumNotices else { return }
        if key == "infos" { envelope.infos.append(notice) } else { envelope.warnings.append(notice) }
    }

    /// Throws unless the value belongs to a key that nobody knows.
    private func refuse(_ found: String) throws {
        switch (place, child) {
        case (.ignored, _), (.stats, _): return
        case (.labels, _), (.exemplarLabels, _): throw misfit(found, "a string")
        case (.root, .ignored) where !["status", "errorType", "error"].contains(key): return
        case (.data, .ignored) where key != "resultType": return
        case (.exemplar, .ignored) where key != "value" && key != "timestamp": return
        case (.series, .ignored), (.element, .ignored), (.histogram, .ignored): return
        default: throw misfit(found, nil)
        }
    }

    private func misfit(_ found: String, _ wanted: String?) -> PluginError {
        let subject = key.isEmpty ? "an element of \(place.name)" : "\"\(key.prefix(100))\" in \(place.name)"
        let remedy = wanted.map { ", expected \($0)" } ?? ""
        return JSONTokenizer.failure("is not that of a Prometheus API: \(subject) is \(found)\(remedy)")
    }
}

extension PrometheusAnswerParser.Place {
    /// Whether it is an object; nil when it may be either.
    var isObject: Bool? {
        switch self {
        case .document, .ignored, .data, .stats: nil
        case .root, .series, .labels, .histogram, .element, .exemplar, .exemplarLabels: true
        case .notices, .result, .values, .sample, .histograms, .point, .buckets, .bucket, .list, .exemplars: false
        }
    }

    /// Whether arrays and objects below may be skipped: later versions may add some.
    var mayHoldUnknown: Bool {
        switch self {
        case .ignored, .root, .data, .series, .histogram, .element, .exemplar: true
        default: false
        }
    }

    /// For messages.
    var name: String {
        switch self {
        case .document, .root: "the answer"
        case .element: "an element of \"data\""
        case .list: "\"data\""
        case .series: "a series"
        case .exemplarLabels: "the labels of an exemplar"
        case .sample: "a sample"
        case .point: "a histogram point"
        case .bucket: "a histogram bucket"
        case .exemplar: "an exemplar"
        default: "\"\(self)\""
        }
    }
}
