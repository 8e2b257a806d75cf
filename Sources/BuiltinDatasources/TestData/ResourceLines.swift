// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The lines of the resource `stream`: how many, how fast and in which format.
struct ResourceLines: Sendable {
    struct Refusal: Error, Equatable {
        let status: Int
        let message: String
    }

    enum Format: String, Sendable {
        case text = ""
        case json
        case influx
    }

    private(set) var count = 10
    private(set) var start = 1
    /// The time between two lines.
    private(set) var pause: Duration = .milliseconds(10)
    private(set) var format = Format.text

    /// - Parameter query: `count`, `start`, `sleep` (a Go duration), `format`, and `flush`, a percentage that is checked
    ///   and has no effect: each line is sent at once.
    init(method: String, query: String) throws(Refusal) {
        guard method == "GET" else { throw Refusal(status: 405, message: "only supports get") }
        let values = Self.values(query)
        count = try Self.integer("count", in: values) ?? count
        start = try Self.integer("start", in: values) ?? start
        let flush = try Self.integer("flush", in: values) ?? 100
        guard count >= 0 else { throw Refusal(status: 400, message: "invalid count value") }
        guard (0...100).contains(flush) else { throw Refusal(status: 400, message: "invalid flush value") }
        guard !start.addingReportingOverflow(count).overflow else {
            throw Refusal(status: 400, message: "invalid start value")
        }
        if let text = values["sleep"] {
            guard let sleep = ScenarioText.duration(text), sleep >= .zero else {
                throw Refusal(status: 400, message: "invalid sleep value")
            }
            pause = sleep
        }
        guard let known = Format(rawValue: values["format"] ?? "") else {
            throw Refusal(status: 400, message: "invalid format value")
        }
        format = known
    }

    private static func integer(_ key: String, in values: [String: String]) throws(Refusal) -> Int? {
        guard let text = values[key], !text.isEmpty else { return nil }
        guard let number = Int(text) else { throw Refusal(status: 400, message: "invalid \(key) value") }
        return number
    }

    var contentType: String { format == .json ? "application/json" : "text/plain; charset=utf-8" }

    /// Line number `index`, counted from 0, with its line end.
    func line(_ index: Int, value: Double, at now: Timestamp) -> [UInt8] {
        let number = start + index
        let text =
            switch format {
            case .text: "Message #\(number)"
            case .json:
                JSONValue.object([
                    "message": .integer(Int64(number)), "value": .number(value),
                    "time": .integer(ScenarioText.floorDivide(now.nanoseconds, 1_000_000)),
                ]).encoded()
            case .influx: "testdata value=\(value) \(now.nanoseconds)"
            }
        return Array((text + "\n").utf8)
    }

    /// The first value of each key in a query string.
    static func values(_ query: String) -> [String: String] {
        var values: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = decoded(parts[0])
            if values[key] == nil { values[key] = parts.count > 1 ? decoded(parts[1]) : "" }
        }
        return values
    }

    /// Replaces `%xx`; what is no escape stays as it is.
    static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            if byte == UInt8(ascii: "%"), digits.count == 2, let code {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
