// SPDX-License-Identifier: Apache-2.0

/// A version as semver.org 2.0.0 orders it; a missing minor or patch counts as 0.
public struct SemanticVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Major, minor, patch.
    public let numbers: [UInt64]
    /// The identifiers after `-`; a version that has any comes before the one that has none.
    public let prerelease: [String]
    /// As it was written.
    public let description: String

    /// Nil for a text that is no version.
    public init?(_ text: String) {
        let core = text.prefix { $0 != "-" && $0 != "+" }
        let numbers = core.split(separator: ".", omittingEmptySubsequences: false).map { part in
            part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(part) : nil
        }
        guard (1...3).contains(numbers.count), !numbers.contains(nil), text.utf8.count <= 128 else { return nil }
        let known = numbers.compactMap { $0 }
        self.numbers = known + Array(repeating: 0, count: 3 - known.count)
        let rest = text.dropFirst(core.count)
        let prerelease = rest.first == "-" ? rest.dropFirst().prefix { $0 != "+" } : ""
        let parts = prerelease.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let isSound = parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    $0 == 0x2D || ($0 < 0x80 && UnicodeScalar($0).properties.isAlphabetic)
                        || (0x30...0x39).contains($0)
                }
        }
        guard rest.first != "-" || isSound else { return nil }
        self.prerelease = rest.first == "-" ? parts : []
        description = text
    }

    /// Equal when neither comes before the other; build marks do not count.
    public static func == (left: Self, right: Self) -> Bool {
        left.numbers == right.numbers && left.prerelease == right.prerelease
    }

    /// Hashes what ``==(_:_:)`` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(numbers)
        hasher.combine(prerelease)
    }

    /// semver.org 2.0.0, section 11.
    public static func < (left: Self, right: Self) -> Bool {
        if left.numbers != right.numbers { return left.numbers.lexicographicallyPrecedes(right.numbers) }
        if left.prerelease.isEmpty || right.prerelease.isEmpty {
            return !left.prerelease.isEmpty && right.prerelease.isEmpty
        }
        for (one, other) in zip(left.prerelease, right.prerelease) where one != other {
            switch (UInt64(one), UInt64(other)) {
            case (let one?, let other?): return one < other
            case (_?, nil): return true
            case (nil, _?): return false
            case (nil, nil): return one.utf8.lexicographicallyPrecedes(other.utf8)
            }
        }
        return left.prerelease.count < right.prerelease.count
    }

    /// Whether one text is an older version than the other; false when either is no version.
    public static func isOlder(_ text: String, than other: String) -> Bool {
        guard let left = SemanticVersion(text), let right = SemanticVersion(other) else { return false }
        return left < right
    }

    /// A requested version as Grafana reads it: without spaces and without one leading `^` or `v`; nil for the newest.
    ///
    /// - SeeAlso: Grafana, `pkg/plugins/repo/version.go`.
    static func requested(_ text: String?) -> String? {
        var text = (text ?? "").filter { !$0.isWhitespace }
        if text.first == "^" || text.first == "v" { text.removeFirst() }
        return text.isEmpty || text == "latest" ? nil : text
    }
}
