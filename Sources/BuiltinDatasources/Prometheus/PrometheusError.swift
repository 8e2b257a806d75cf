// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension UpstreamStatus {
    /// The statuses with which the API explains an error in JSON.
    private static let explained: Set = [400, 422, 503]

    /// The error for an answer whose status is not 2xx.
    ///
    /// The API's own error is `<errorType>: <error>`; anything else is shown with the start of its body.
    static func error(status: Int, body: [UInt8]) -> PluginError {
        let source = Self.source(status)
        if explained.contains(status), let text = explanation(body) {
            return PluginError(.downstream, text, source: source, httpStatus: status)
        }
        let shown = String(decoding: body.prefix(shownBytes), as: UTF8.self)
        return PluginError(
            .downstream, "unexpected response with status code \(status): \(shown)", source: source,
            httpStatus: status)
    }

    private static func explanation(_ body: [UInt8]) -> String? {
        var parser = PrometheusAnswerParser()
        do {
            try body.withUnsafeBufferPointer { try parser.consume($0) }
            try parser.finish()
        } catch {
            return nil
        }
        guard parser.envelope.status == "error" else { return nil }
        return "\(parser.envelope.errorType): \(parser.envelope.error)"
    }
}

/// The header in which Mimir says what a query cost.
enum ServerTiming {
    private static let known: [(name: String, title: String, unit: String)] = [
        ("querier_wall_time", "Querier wall time", "ms"), ("response_time", "Response time", "ms"),
        ("bytes_processed", "Bytes processed", "decbytes"), ("samples_processed", "Samples processed", "short"),
        ("equivalent_samples_read", "Equivalent samples read", "short"),
    ]

    /// The rows of `meta.stats` for a `Server-Timing` header: `name;dur=1.5, name;val=7`; unknown names are skipped.
    static func statistics(_ header: String, call: PrometheusCall) -> [JSONValue] {
        var values: [String: Double] = [:]
        for entry in header.split(separator: ",") {
            let parts = entry.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            let numbers = parts.dropFirst().compactMap { part -> Double? in
                let sides = part.split(separator: "=", maxSplits: 1)
                guard sides.count == 2, sides[0] == "dur" || sides[0] == "val" else { return nil }
                return Double(sides[1]).flatMap { $0.isFinite ? $0 : nil }
            }
            if let name = parts.first, let number = numbers.first { values[name] = number }
        }
        return known.compactMap { entry in
            values[entry.name].map {
                [
                    "displayName": .string("\(call.rawValue): \(entry.title)"), "unit": .string(entry.unit),
                    "value": .number($0),
                ]
            }
        }
    }
}
