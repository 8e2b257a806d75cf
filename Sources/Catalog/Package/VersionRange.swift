// SPDX-License-Identifier: Apache-2.0

/// A `grafanaDependency`: comparators joined by spaces (and) and by `||` (or), as node-semver has them.
struct VersionRange: Sendable, Equatable {
    private struct Comparator: Sendable, Equatable {
        var lower: SemanticVersion?
        var includesLower = true
        var upper: SemanticVersion?
        var includesUpper = false

        func contains(_ version: SemanticVersion) -> Bool {
            if let lower, includesLower ? version < lower : version <= lower { return false }
            if let upper, includesUpper ? version > upper : version >= upper { return false }
            return true
        }
    }

    private let alternatives: [[Comparator]]

    /// Nil for a text that is no range; an empty one and `*` are every version.
    init?(_ text: String) {
        var alternatives: [[Comparator]] = []
        for part in text.replacing("||", with: "|").split(separator: "|", omittingEmptySubsequences: false) {
            var comparators: [Comparator] = []
            for word in part.split(separator: " ") {
                guard let comparator = Self.comparator(word) else { return nil }
                comparators.append(comparator)
            }
            alternatives.append(comparators)
        }
        self.alternatives = alternatives
    }

    /// Prereleases of the server count as the release that they lead to: a plugin for 12.4 may be tried with 12.4.0-pre.
    func contains(_ version: String) -> Bool {
        guard let version = SemanticVersion(String(version.prefix { $0 != "-" && $0 != "+" })) else { return false }
        return alternatives.contains { $0.allSatisfy { $0.contains(version) } }
    }

    private static func comparator(_ word: Substring) -> Comparator? {
        let operators = [">=", "<=", ">", "<", "=", "~", "^"]
        let sign = operators.first { word.hasPrefix($0) } ?? ""
        var text = word.dropFirst(sign.count)
        if text.first == "v" { text.removeFirst() }
        let core = text.prefix { $0 != "-" && $0 != "+" }
        let fixed = core.split(separator: ".").prefix { !["x", "X", "*"].contains($0) }
        if fixed.isEmpty { return core.isEmpty ? nil : Comparator() }
        let isWhole = fixed.count == 3
        guard let base = SemanticVersion(fixed.joined(separator: ".") + (isWhole ? text.dropFirst(core.count) : ""))
        else { return nil }
        let places = fixed.count
        switch sign {
        case ">=": return Comparator(lower: base)
        case ">":
            return isWhole ? Comparator(lower: base, includesLower: false) : Comparator(lower: next(base, places - 1))
        case "<": return Comparator(upper: base)
        case "<=":
            return isWhole ? Comparator(upper: base, includesUpper: true) : Comparator(upper: next(base, places - 1))
        case "~": return Comparator(lower: base, upper: next(base, min(places - 1, 1)))
        case "^":
            return Comparator(
                lower: base, upper: next(base, base.numbers.prefix(places - 1).firstIndex { $0 > 0 } ?? places - 1))
        default:
            return isWhole
                ? Comparator(lower: base, upper: base, includesUpper: true)
                : Comparator(lower: base, upper: next(base, places - 1))
        }
    }

    /// The version after all those that share the parts up to a place: of 1.2.3 and 1, 1.3.0; nil when no number is larger.
    private static func next(_ version: SemanticVersion, _ place: Int) -> SemanticVersion? {
        var numbers = version.numbers
        guard numbers[place] < .max else { return nil }
        numbers[place] += 1
        for index in numbers.indices where index > place { numbers[index] = 0 }
        return SemanticVersion(numbers.map(String.init).joined(separator: "."))
    }
}
