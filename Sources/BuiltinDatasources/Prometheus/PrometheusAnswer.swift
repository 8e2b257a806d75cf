// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One part of the data in an answer of the Prometheus API, complete.
enum PrometheusResult: Sendable {
    case series(PrometheusSeries)
    case scalar(Timestamp, Double)
    case text(Timestamp, String)
    case exemplars(ExemplarSeries)
    /// The elements of `data` when they are texts, as for label values.
    case values([String])
    /// The elements of `data` when they are objects of texts, as for series.
    case labelSets([Labels])
}

/// A series of an instant vector or a range matrix.
struct PrometheusSeries: Sendable {
    var labels: Labels
    /// Whether it came with many points, as in a matrix.
    var isRange: Bool
    var points: Points

    enum Points: Sendable {
        /// Two columns of the same length: time and float64.
        case floats(times: Column, values: Column)
        case buckets(HistogramBuckets)
    }
}

/// The buckets of all points of a native histogram: five columns of the same length, one row a bucket.
struct HistogramBuckets: Sendable {
    /// The time of the point.
    var xMax: Column
    var yMin: Column
    var yMax: Column
    var count: Column
    /// int8: 0 open left, 1 open right, 2 open on both sides, 3 closed.
    var yLayout: Column
}

/// The exemplars of one series.
struct ExemplarSeries: Sendable, Equatable {
    var labels: Labels
    var exemplars: [Exemplar]
}

/// A sample that stands for others and leads to a trace.
struct Exemplar: Sendable, Equatable {
    var labels: Labels
    var time: Timestamp
    var value: Double
}

/// What an answer says beside its data.
struct PrometheusEnvelope: Sendable, Equatable {
    var status: String?
    var errorType = ""
    var error = ""
    var resultType: String?
    var warnings: [String] = []
    var infos: [String] = []
    /// The text of `data.stats`, an object.
    var stats: JSONText?
}
