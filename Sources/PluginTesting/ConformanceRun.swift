// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import PluginHost

/// One run of the kit: what has been found so far.
struct ConformanceRun {
    private let kit: PluginConformance
    private var found: [ConformanceDifference] = []
    /// What each place answers when nobody disturbs the call.
    private var wholes: [String: CallTranscript] = [:]
    /// Why calls were broken off, by the name of their case.
    private var reasons: [String: (place: ConformancePlace, error: PluginError)] = [:]

    init(_ kit: PluginConformance) { self.kit = kit }

    consuming func report() async -> ConformanceReport {
        var sites: [ConformanceSite] = []
        for place in kit.places {
            let site = await ConformanceSite(place, kit)
            if let fault = site.fault {
                add(at: place, "load", "the plugin runs at every level", "the plugin", fault, "runs")
                await site.shutDown()
            } else {
                sites.append(site)
            }
        }
        let cases = kit.cases
        for one in cases {
            for site in sites { await run(one, at: site, reference: sites[0]) }
        }
        for site in sites { await end(site) }
        return result(cases.map(\.name))
    }

    private func result(_ cases: [String]) -> ConformanceReport {
        var differences: [ConformanceDifference] = []
        var known: [ConformanceDifference] = []
        var used: Set<Int> = []
        for var difference in found {
            let index = kit.exceptions.firstIndex { $0.covers(difference.caseName, at: difference.place) }
            guard let index else {
                differences.append(difference)
                continue
            }
            used.insert(index)
            difference.exception = kit.exceptions[index].reason
            known.append(difference)
        }
        let unused = kit.exceptions.enumerated().filter { index, exception in
            !used.contains(index) && kit.places.contains(exception.place)
        }
        return ConformanceReport(
            pluginID: kit.plugin.id, places: kit.places, cases: cases, differences: differences,
            knownDifferences: known,
            unusedExceptions: unused.map { "\($0.element.place) '\($0.element.cases)': \($0.element.reason)" })
    }

    private mutating func add(
        at place: ConformancePlace, _ name: String, _ rule: String, _ subject: String, _ value: String,
        _ expected: String, reference: ConformancePlace? = nil
    ) {
        found.append(
            ConformanceDifference(
                place: place, caseName: name, rule: rule, subject: subject, found: value, expected: expected,
                reference: reference))
    }

    private mutating func add(
        _ mismatch: Mismatch, at place: ConformancePlace, of one: ConformanceCase, reference: ConformancePlace?
    ) {
        add(
            at: place, one.name, one.rule, mismatch.place, mismatch.found, mismatch.expected, reference: reference)
    }

    // MARK: One case at one place

    private mutating func run(
        _ one: ConformanceCase, at site: ConformanceSite, reference: ConformanceSite
    ) async {
        if !kit.isWellBehaved { await site.beginAnew() }
        if one.reading == .toTheEnd {
            await compare(one, at: site, with: reference)
        } else {
            let whole = await whole(of: one, at: site)
            for transcript in await ConformanceReader(one, site).transcripts(whole: whole) {
                judge(transcript, of: one, at: site, whole: whole)
            }
        }
        if await !site.isQuiet() {
            add(at: site.place, one.name, one.rule, "the call", "never ends", "ends")
        }
    }

    private mutating func compare(
        _ one: ConformanceCase, at site: ConformanceSite, with reference: ConformanceSite
    ) async {
        let transcript = await whole(of: one, at: site)
        if transcript.lateEvents > 0 {
            add(at: site.place, one.name, "GF-R-017", "after the end", "\(transcript.lateEvents) events", "nothing")
        }
        if one.mustFail, transcript.error == nil {
            add(at: site.place, one.name, one.rule, "the call", "nothing was refused", "an error")
        }
        guard site.place != reference.place else { return }
        let expected = await whole(of: one, at: reference)
        guard let mismatch = Self.mismatch(transcript, at: site, expected, at: reference) else { return }
        // A question whose answer is never the same says nothing about places.
        let again = await ConformanceReader(one, reference).transcript()
        if let other = again.mismatch(to: expected) {
            add(other, at: reference.place, of: one, reference: reference.place)
        } else {
            add(mismatch, at: site.place, of: one, reference: reference.place)
        }
    }

    private static func mismatch(
        _ found: CallTranscript, at site: ConformanceSite, _ expected: CallTranscript, at reference: ConformanceSite
    ) -> Mismatch? {
        let isCarried = (site.place == .grpc) != (reference.place == .grpc)
        guard isCarried else { return found.mismatch(to: expected) }
        return found.asGrafanaCarriesIt.mismatch(to: expected.asGrafanaCarriesIt)
    }

    private mutating func whole(of one: ConformanceCase, at site: ConformanceSite) async -> CallTranscript {
        let key = "\(site.place) \(one.call) \(one.jsonData?.encoded() ?? "")"
        if let known = wholes[key] { return known }
        var plain = one
        plain.reading = .toTheEnd
        if one.reading != .toTheEnd { plain.limits = .conformance }
        let whole = await ConformanceReader(plain, site).transcript()
        wholes[key] = whole
        return whole
    }

    private mutating func judge(
        _ transcript: CallTranscript, of one: ConformanceCase, at site: ConformanceSite, whole: CallTranscript
    ) {
        let mismatch: Mismatch?
        switch one.reading {
        case .cancelledAtEachEvent:
            mismatch = transcript.mismatch(asBeginningOf: whole, endedWith: .cancelled)
        case .withoutTime, .withLittleTime:
            mismatch = transcript.mismatch(asBeginningOf: whole, endedWith: .timeout)
        case .whileForgotten where one.call.isStream:
            let isTold = transcript.error?.hint == PluginError.instanceReplacedHint
            mismatch =
                isTold
                ? nil
                : Mismatch(
                    "the end", transcript.error.map { "'\($0.message)'" } ?? "no error",
                    "the hint '\(PluginError.instanceReplacedHint)'")
        default:
            mismatch = transcript.mismatch(to: whole)
        }
        if let mismatch { add(mismatch, at: site.place, of: one, reference: nil) }
        compareReason(transcript, of: one, at: site.place)
    }

    /// The words with which a call is broken off are the host's, and the same everywhere.
    private mutating func compareReason(
        _ transcript: CallTranscript, of one: ConformanceCase, at place: ConformancePlace
    ) {
        guard one.reading.breaksOff, let error = transcript.error, [.cancelled, .timeout].contains(error.code) else {
            return
        }
        guard let known = reasons[one.name] else {
            reasons[one.name] = (place, error)
            return
        }
        if let mismatch = CallTranscript.mismatch(error, known.error) {
            add(mismatch.within("the end"), at: place, of: one, reference: known.place)
        }
    }

    // MARK: The end

    private mutating func end(_ site: ConformanceSite) async {
        let counts = site.counts
        if let first = kit.cases.first(where: { $0.call.isQuery && $0.reading == .toTheEnd }) {
            let whole = await whole(of: first, at: site)
            var last = first
            last.name = "shut down while a call runs"
            last.rule = "GF-R-014: an instance is destroyed after its last call, and a library after its last instance"
            last.limits.window = 4_096
            let transcript = await ConformanceReader(last, site).transcriptWhileShuttingDown()
            if let mismatch = transcript.mismatch(to: whole) { add(mismatch, at: site.place, of: last, reference: nil) }
        } else {
            await site.shutDown()
        }
        for (what, rule, count) in [
            ("calls that were given up", "GF-R-018", counts.abandoned), ("rules broken", "the ABI", counts.rulesBroken),
            ("restarts of its process", "a plugin does not crash", counts.restarts),
        ] where count > 0 && kit.isWellBehaved {
            add(at: site.place, "conduct", rule, what, "\(count)", "0")
        }
    }
}

extension ConformanceCall {
    var isStream: Bool { if case .run = self { true } else { false } }
    var isQuery: Bool { if case .queries = self { true } else { false } }
}

extension ConformanceReading {
    fileprivate var breaksOff: Bool {
        switch self {
        case .cancelledAtEachEvent, .withoutTime, .withLittleTime: true
        default: false
        }
    }
}
