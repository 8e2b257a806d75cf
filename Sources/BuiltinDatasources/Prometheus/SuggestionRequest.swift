// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A client's question for the labels that fit to its queries.
struct SuggestionRequest: Sendable {
    /// Below the URL of the data source.
    var path: String
    var parameters: [FormEncoding.Pair]

    /// Nil when the value is not an object.
    init?(_ value: JSONValue) {
        guard value.object != nil else { return nil }
        let label = value["labelName"]?.string ?? ""
        path = label.isEmpty ? "api/v1/labels" : "api/v1/label/\(FormEncoding.escape(label, spaceAsPlus: false))/values"
        let queries = (value["queries"]?.array ?? []).compactMap(\.string)
        let scopes = (value["scopes"]?.array ?? []).flatMap { $0["filters"]?.array ?? [$0] }
        let filters = (scopes + (value["adhocFilters"]?.array ?? [])).compactMap(Self.matcher)
        let matchers = filters.isEmpty ? "" : "{" + filters.joined(separator: ",") + "}"
        let metrics = Set(queries.flatMap(MetricNames.inQuery)).sorted()
        parameters = metrics.map { ("match[]", $0 + matchers) }
        if metrics.isEmpty, !matchers.isEmpty { parameters = [("match[]", matchers)] }
        for key in ["start", "end", "limit"] {
            if let text = Self.text(value[key]) { parameters.append((key, text)) }
        }
    }

    private static func text(_ value: JSONValue?) -> String? {
        if let integer = value?.int { return integer == 0 ? nil : String(integer) }
        guard let text = value?.string, !text.isEmpty else { return nil }
        return text
    }

    /// A filter as a matcher of PromQL.
    private static func matcher(_ filter: JSONValue) -> String? {
        guard let key = filter["key"]?.string, !key.isEmpty, let name = filter["operator"]?.string else { return nil }
        let several = (filter["values"]?.array ?? []).compactMap(\.string)
        let one = filter["value"]?.string ?? several.first ?? ""
        let joined = several.isEmpty ? one : several.joined(separator: "|")
        switch name {
        case "equals", "=": return "\(key)=\(quoted(one))"
        case "not-equals", "!=": return "\(key)!=\(quoted(one))"
        case "regex-match", "=~": return "\(key)=~\(quoted(one))"
        case "regex-not-match", "!~": return "\(key)!~\(quoted(one))"
        case "one-of", "=|": return "\(key)=~\(quoted(joined))"
        case "not-one-of", "!=|": return "\(key)!~\(quoted(joined))"
        default: return nil
        }
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") + "\""
    }
}

/// Finds the metrics that a query selects, without a full parser of PromQL.
enum MetricNames {
    private static let keywords: Set<String> = [
        "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool", "inf",
        "nan", "start", "end", "atan2",
    ]
    private static let listKeywords: Set<String> = [
        "by", "without", "on", "ignoring", "group_left", "group_right",
    ]

    /// The names in order of appearance; text in strings, braces, brackets and lists of labels does not count.
    static func inQuery(_ query: String) -> [String] {
        var names: [String] = []
        var rest = query[...]
        while let character = rest.first {
            switch character {
            case "\"", "'", "`": rest = afterString(rest)
            case "{": rest = after("}", rest)
            case "[": rest = after("]", rest)
            case "#": rest = rest.drop { !$0.isNewline }
            case _ where isNameStart(character):
                let name = rest.prefix(while: isNamePart)
                rest = rest.dropFirst(name.count)
                let next = rest.drop(while: \.isWhitespace)
                let lowercased = name.lowercased()
                if listKeywords.contains(lowercased) {
                    if next.first == "(" { rest = after(")", next) }
                } else if next.first != "(", !keywords.contains(lowercased), !name.contains("$"), !isGrouping(next) {
                    names.append(String(name))
                }
            case _ where character.isNumber: rest = rest.drop { isNamePart($0) || $0 == "." }
            default: rest.removeFirst()
            }
        }
        return names
    }

    /// Whether the name before was that of an aggregation: `sum by (job) (up)`.
    private static func isGrouping(_ text: Substring) -> Bool {
        ["by", "without"].contains(text.prefix(while: isNamePart).lowercased())
    }

    private static func isNameStart(_ character: Character) -> Bool {
        character == "_" || character == ":" || character == "$" || (character.isASCII && character.isLetter)
    }

    private static func isNamePart(_ character: Character) -> Bool {
        isNameStart(character) || (character.isASCII && character.isNumber)
    }

    private static func afterString(_ text: Substring) -> Substring {
        let quote = text.first
        var rest = text.dropFirst()
        while let character = rest.first, character != quote {
            rest.removeFirst()
            if character == "\\", quote != "`" { rest = rest.dropFirst() }
        }
        return rest.dropFirst()
    }

    /// What comes behind the first `end` outside of strings.
    private static func after(_ end: Character, _ text: Substring) -> Substring {
        var rest = text.dropFirst()
        while let character = rest.first, character != end {
            if character == "\"" || character == "'" || character == "`" {
                rest = afterString(rest)
            } else {
                rest.removeFirst()
            }
        }
        return rest.dropFirst()
    }
}
