// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Collects the buckets of the native histograms of one series.
struct HistogramBuilder: Sendable {
    private var xMax = ColumnBuilder<Timestamp>()
    private var yMin = ColumnBuilder<Double>()
    private var yMax = ColumnBuilder<Double>()
    private var count = ColumnBuilder<Double>()
    private var yLayout = ColumnBuilder<Int8>()
    private var time: Timestamp?
    /// Boundary rule, low, high, count.
    private var bucket: [Double] = []

    mutating func beginPoint() { time = nil }

    mutating func take(time: Timestamp) throws {
        guard self.time == nil else { throw Self.badPoint }
        self.time = time
    }

    mutating func endPoint() throws {
        guard time != nil else { throw Self.badPoint }
    }

    mutating func beginBucket() { bucket.removeAll(keepingCapacity: true) }

    mutating func take(_ number: Double) throws {
        guard bucket.count < 4 else { throw Self.badBucket }
        bucket.append(number)
    }

    mutating func endBucket() throws {
        guard let time else { throw Self.badPoint }
        guard bucket.count == 4, let layout = Int8(exactly: bucket[0]) else { throw Self.badBucket }
        guard xMax.count < SampleBuilder.maximumCount else {
            throw PluginError(
                .limit,
                "the server's answer has a series of more than \(SampleBuilder.maximumCount) buckets",
                source: .downstream)
        }
        xMax.append(time)
        yMin.append(bucket[1])
        yMax.append(bucket[2])
        count.append(bucket[3])
        yLayout.append(layout)
    }

    mutating func finish() -> HistogramBuckets {
        HistogramBuckets(
            xMax: xMax.finish(), yMin: yMin.finish(), yMax: yMax.finish(), count: count.finish(),
            yLayout: yLayout.finish())
    }

    private static let badPoint = JSONTokenizer.failure("has a native histogram that is not [time, histogram]")
    private static let badBucket = JSONTokenizer.failure(
        "has a histogram bucket that is not [boundary rule, low, high, count]")
}

/// Collects one element of an array `data`: the exemplars of a series, or a set of texts.
struct ExemplarBuilder: Sendable {
    var labels: Labels = [:]
    var time: Timestamp?
    var value: Double?
    /// The texts directly in the element.
    var texts: Labels = [:]
    private var exemplars: [Exemplar] = []

    mutating func beginSeries() {
        texts = [:]
        exemplars = []
    }

    mutating func begin() {
        labels = [:]
        time = nil
        value = nil
    }

    mutating func end() throws {
        guard let time, let value else { throw JSONTokenizer.failure("has an exemplar without timestamp or value") }
        guard exemplars.count < PrometheusAnswerParser.maximumExemplars else {
            throw PluginError(
                .limit, "the server's answer has more than \(PrometheusAnswerParser.maximumExemplars) exemplars",
                source: .downstream)
        }
        exemplars.append(Exemplar(labels: labels, time: time, value: value))
    }

    mutating func endSeries() -> (texts: Labels, exemplars: [Exemplar]) {
        defer { exemplars = [] }
        return (texts, exemplars)
    }
}

/// Collects the elements of an array `data`.
struct ListBuilder: Sendable {
    private var exemplars: [ExemplarSeries] = []
    private var values: [String] = []
    private var labelSets: [Labels] = []

    mutating func append(_ value: String) { values.append(value) }

    mutating func append(_ element: (texts: Labels, exemplars: [Exemplar]), labels: Labels) {
        if element.exemplars.isEmpty {
            if !element.texts.isEmpty { labelSets.append(element.texts) }
        } else {
            exemplars.append(ExemplarSeries(labels: labels, exemplars: element.exemplars))
        }
    }

    /// What was collected.
    mutating func finish() -> [PrometheusResult] {
        defer { self = ListBuilder() }
        var results = exemplars.map(PrometheusResult.exemplars)
        if !values.isEmpty { results.append(.values(values)) }
        if !labelSets.isEmpty { results.append(.labelSets(labelSets)) }
        return results
    }
}

/// Collects a scalar or a text: `[time, "1.5"]`; which of them it is may be said later.
struct ScalarBuilder: Sendable {
    private var time: Timestamp?
    private var text: String?

    mutating func take(time: Timestamp) throws {
        guard self.time == nil, text == nil else { throw Self.malformed }
        self.time = time
    }

    mutating func take(text: String) throws {
        guard time != nil, self.text == nil else { throw Self.malformed }
        self.text = text
    }

    mutating func finish(resultType: String?) throws -> PrometheusResult? {
        guard time != nil || text != nil else { return nil }
        guard let time, let text else { throw Self.malformed }
        self = ScalarBuilder()
        if resultType == "string" { return .text(time, text) }
        let number = try Array(text.utf8).span.double(in: 0..<text.utf8.count)
        return .scalar(time, number)
    }

    private static let malformed = JSONTokenizer.failure("has a scalar that is not [time, value]")
}
