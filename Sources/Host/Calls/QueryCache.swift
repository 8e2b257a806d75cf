// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import Synchronization

/// What the operator allows answers to be kept: `[caching]`.
public struct CachingSettings: Sendable, Equatable {
    /// Whether answers are kept at all.
    public var isEnabled = true
    /// How long an answer is used, where the data source says nothing.
    public var lifetime = Duration.seconds(60)
    /// The longest time that a data source may ask for.
    public var longestLifetime = Duration.seconds(7 * 86_400)
    /// The bytes of one answer; a larger one is not kept.
    public var answerBytes = 1 << 20
    /// The bytes of all answers.
    public var totalBytes = 25 << 20

    /// The defaults of `conf/defaults.ini`.
    public init() {}

    /// How long the answers of a data source are used; nil: not at all, because it did not ask for it.
    func lifetime(of source: DataSourceConfiguration) -> Duration? {
        let data = source.settings.jsonData
        guard isEnabled, data["queryCaching"]?.bool == true else { return nil }
        guard let wanted = data["queryCachingTTL"]?.double, wanted >= 1 else { return min(lifetime, longestLifetime) }
        return wanted < 1e12 ? min(.milliseconds(Int64(wanted)), longestLifetime) : longestLifetime
    }
}

/// Whether an answer was kept from an earlier call.
public enum CacheStatus: String, Sendable {
    /// It was, and no plugin was asked.
    case hit = "HIT"
    /// It was not; the plugin was asked.
    case miss = "MISS"
}

/// Answers queries with what their plugin answered a short while ago, for data sources that ask for it.
///
/// Whole answers alone are kept: no error, no warning, nothing that was cut off. `X-Cache-Skip` asks the plugin anew.
final class QueryCache: QueryMiddleware {
    private struct Counts {
        var results: [String: UInt64] = [:]
    }

    private let settings: CachingSettings
    private let answers: AnswerStore
    private let counts = Mutex(Counts())

    init(_ settings: CachingSettings, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.settings = settings
        answers = AnswerStore(maximumBytes: settings.totalBytes, now: now)
    }

    func query(_ call: QueryCall, next: Next) async throws -> CallEvents {
        guard let lifetime = settings.lifetime(of: call.source), let key = QueryCacheKey(call, lifetime: lifetime)
        else {
            return try await next(call)
        }
        let isSkipped = call.facts.headers["x-cache-skip"]?.lowercased() == "true"
        if !isSkipped, let events = answers[key] {
            count("hit")
            return CallEvents(replaying: events)
        }
        count(isSkipped ? "skip" : "miss")
        let recorder = AnswerRecorder(maximumBytes: settings.answerBytes) { [answers] events, bytes in
            answers.insert(events, bytes: bytes, for: key, lifetime: lifetime)
        }
        return try await next(call).recorded(by: recorder)
    }

    /// A data source was deleted.
    func forget(orgID: Int64, uid: String) { answers.removeAll { $0.orgID == orgID && $0.uid == uid } }

    private func count(_ result: String) { counts.withLock { $0.results[result, default: 0] += 1 } }

    /// Appends its numbers in Prometheus's text format.
    func writeMetrics(into text: inout String) {
        let requests = "grafana_caching_requests_total"
        text += "# HELP \(requests) Calls of data sources that ask for caching, by what the cache had\n"
        text += "# TYPE \(requests) counter\n"
        for (result, count) in counts.withLock({ $0.results }).sorted(by: { $0.key < $1.key }) {
            text += "\(requests){result=\"\(result)\"} \(count)\n"
        }
        let usage = answers.usage
        text += "# HELP grafana_caching_evictions_total Answers that made room for others\n"
        text += "# TYPE grafana_caching_evictions_total counter\ngrafana_caching_evictions_total \(usage.evictions)\n"
        text += "# HELP grafana_caching_answers Answers that are kept\n"
        text += "# TYPE grafana_caching_answers gauge\ngrafana_caching_answers \(usage.count)\n"
        text += "# HELP grafana_caching_bytes What they take\n"
        text += "# TYPE grafana_caching_bytes gauge\ngrafana_caching_bytes \(usage.bytes)\n"
    }
}

/// What two calls have in common when the answer to one answers the other.
struct QueryCacheKey: Hashable, Sendable {
    let orgID: Int64
    let uid: String
    /// All else, each part with its length: data source, plugin, queries, and who asks when the plugin is told that for
    /// the server behind it.
    private let parts: [UInt8]

    /// Members of a query that say nothing about its answer, or that the range says.
    private static let ignored: Set = ["timeRange", "requestId", "key", "hide"]
    /// Headers that a plugin passes on as the caller's credentials, or that change what it answers.
    private static let identifying = ["authorization", "cookie", "x-id-token", "x-grafana-id", "x-grafana-user"]

    /// - Parameter lifetime: Time ranges are aligned to the interval of their query, but to no longer time than this.
    /// - Returns: nil for a call that no plugin answers.
    init?(_ call: QueryCall, lifetime: Duration) {
        guard let generation = call.pluginGeneration else { return nil }
        let settings = call.source.settings
        (orgID, uid) = (settings.orgID, settings.uid)
        var key = Parts()
        key.add("\(settings.id) \(call.source.version) \(settings.updated.nanoseconds) \(generation)")
        key.add(settings.pluginID)
        for query in call.queries {
            key.add(query.refID)
            key.add(query.queryType)
            let step = max(.seconds(1), min(query.interval, lifetime)).nanosecondCount
            key.add("\(query.from.aligned(to: step)) \(query.to.aligned(to: step)) \(query.interval)")
            key.add("\(query.maxDataPoints) \(query.maxRows ?? -1)")
            let text = Array(query.json.text.utf8)
            for (name, range) in (try? JSONSlices.members(ofObjectAt: [], in: text)) ?? [] {
                if Self.ignored.contains(name) { continue }
                key.add(name)
                key.add(text[range])
            }
        }
        let identity = Self.identifying.compactMap { name in call.facts.headers[name].map { (name, $0) } }
        for (name, value) in identity {
            key.add(name)
            key.add(value)
        }
        if !identity.isEmpty { key.add(call.facts.principal?.login ?? "") }
        key.add(call.facts.headers["x-grafana-from-expr"] ?? "")
        parts = key.bytes
    }

    var byteCount: Int { parts.count + uid.utf8.count + 32 }

    private struct Parts {
        var bytes: [UInt8] = []

        mutating func add(_ text: String) { add(Array(text.utf8)[...]) }

        mutating func add(_ part: ArraySlice<UInt8>) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: part.count)) { bytes += $0 }
            bytes += part
        }
    }
}

extension Timestamp {
    /// The last multiple of a step at or before this time, in steps.
    fileprivate func aligned(to step: Int64) -> Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: step)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension Duration {
    /// More than 0; what does not fit is the largest number.
    fileprivate var nanosecondCount: Int64 {
        let (seconds, attoseconds) = components
        let (product, isOverflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isOverflow ? .max : max(1, product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue)
    }
}
