// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The names that series get in legends.
enum SeriesName {
    /// The display name by the query's legend format, or nil when clients shall choose.
    ///
    /// - Parameter expression: Stands in for a name that would be `{}`.
    static func text(labels: Labels, legendFormat: String, expression: String) -> String? {
        let name: String
        switch legendFormat {
        case "": name = metric(labels)
        case "__auto": name = labels.isEmpty ? metric(labels) : ""
        default: name = replacePlaceholders(in: legendFormat, labels: labels)
        }
        let result = name == "{}" ? expression : name
        return result.isEmpty ? nil : result
    }

    /// The series as PromQL: `name{l1="v1", l2="v2"}` with sorted labels.
    static func metric(_ labels: Labels) -> String {
        let name = labels["__name__"]
        let others = labels.filter { $0.key != "__name__" }.sorted { $0.key < $1.key }
        guard !others.isEmpty else { return name ?? "{}" }
        return (name ?? "") + "{" + others.map { "\($0.key)=\(quoted($0.value))" }.joined(separator: ", ") + "}"
    }

    /// Replaces each `{{ label }}` by the label's value, or by nothing.
    static func replacePlaceholders(in format: String, labels: Labels) -> String {
        var result = ""
        var rest = format[...]
        while let open = rest.firstRange(of: "{{") {
            let inside = rest[open.upperBound...]
            guard !inside.isEmpty, let close = inside.dropFirst().firstRange(of: "}}") else { break }
            let label = trimmed(inside[..<close.lowerBound])
            if label.contains("\n") {
                result += rest[..<open.upperBound]
                rest = inside
                continue
            }
            result += rest[..<open.lowerBound] + (labels[String(label)] ?? "")
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop(while: \.isWhitespace)
        return start.prefix(start.count - start.reversed().prefix(while: \.isWhitespace).count)
    }

    /// A text in double quotes, escaped as Go does it.
    static func quoted(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x22 || $0 == 0x5C }) else {
            return "\"\(text)\""
        }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0B}": result += "\\v"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.count < 2 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
