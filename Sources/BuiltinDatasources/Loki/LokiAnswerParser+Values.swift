// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension LokiAnswerParser {
    mutating func take(text token: JSONTokenizer.Text, in bytes: Span<UInt8>) throws {
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

    mutating func take(number range: Range<Int>, in bytes: Span<UInt8>) throws {
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
        try found(.scalar)
        series.append(LokiSeries(labels: [:], times: Column([time]), values: Column([value])))
    }

    /// Null stands for an empty array or object.
    mutating func takeNull() throws {
        if place == .data, key == "result" { hasResult = true }
        switch place {
        case .document, .values, .pair, .stream, .metric, .structured, .parsed, .result: try refuse("null")
        default: return
        }
    }

    private mutating func take(warning: String) {
        if envelope.warnings.count < Self.maximumWarnings { envelope.warnings.append(warning) }
    }

    /// Throws unless the value belongs to a key that nobody knows.
    func refuse(_ found: String) throws {
        switch (place, child) {
        case (.ignored, _), (.stats, _): return
        case (.stream, _), (.metric, _), (.structured, _), (.parsed, _): throw misfit(found, "a string")
        case (.root, .ignored) where !["status", "errorType", "error", "message"].contains(key): return
        case (.data, .ignored) where key != "resultType": return
        case (.entry, .ignored), (.categories, .ignored): return
        default: throw misfit(found, nil)
        }
    }

    func misfit(_ found: String, _ wanted: String?) -> PluginError {
        let subject = key.isEmpty ? "an element of \(place.name)" : "\"\(key.prefix(100))\" in \(place.name)"
        let remedy = wanted.map { ", expected \($0)" } ?? ""
        return JSONTokenizer.failure("is not that of a Loki API: \(subject) is \(found)\(remedy)")
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
