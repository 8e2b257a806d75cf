// SPDX-License-Identifier: Apache-2.0

/// A glob pattern: `*`, `**`, `?`, `[abc]`, `[!a-z]`, `{one,two}` and `\` before a literal character.
///
/// `*` and `?` do not match separators, `**` does. Matching takes O(pattern × text): no pattern makes it explode.
///
/// - SeeAlso: The syntax of github.com/gobwas/glob, which Grafana uses.
struct Glob: Sendable {
    /// One step of a small machine that walks all ways through the pattern at once.
    private enum Step {
        case one(Unicode.Scalar)
        case any(crossing: Bool)
        case set([ClosedRange<Unicode.Scalar>], isNegated: Bool)
        /// Go on at each of these places.
        case branch([Int])
    }

    private var steps: [Step] = []
    private let separators: Set<Unicode.Scalar>

    /// The longest pattern, in characters.
    static let maximumLength = 2048

    /// Compiles a pattern; nil when it is malformed or too long.
    init?(_ pattern: String, separators: Set<Unicode.Scalar> = []) {
        self.separators = separators
        let scalars = Array(pattern.unicodeScalars)
        guard scalars.count <= Self.maximumLength else { return nil }
        var place = 0
        guard compile(scalars, &place, depth: 0), place == scalars.count else { return nil }
    }

    /// Whether the pattern matches the whole text.
    func matches(_ text: String) -> Bool {
        var states = closure([0])
        for scalar in text.unicodeScalars {
            var next: [Int] = []
            for state in states where state < steps.count && accepts(steps[state], scalar) { next.append(state + 1) }
            states = closure(next)
            if states.isEmpty { return false }
        }
        return states.contains(steps.count)
    }

    private func accepts(_ step: Step, _ scalar: Unicode.Scalar) -> Bool {
        switch step {
        case .one(let wanted): scalar == wanted
        case .any(let crossing): crossing || !separators.contains(scalar)
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(scalar) } != isNegated
        case .branch: false
        }
    }

    /// All places that are reached from these without taking a character.
    private func closure(_ start: [Int]) -> [Int] {
        var seen = [Bool](repeating: false, count: steps.count + 1)
        var open = start
        var places: [Int] = []
        while let place = open.popLast() {
            guard !seen[place] else { continue }
            seen[place] = true
            if place < steps.count, case .branch(let targets) = steps[place] {
                open += targets
            } else {
                places.append(place)
            }
        }
        return places
    }

    /// Compiles up to the end, or to `,` or `}` inside of braces.
    private mutating func compile(_ pattern: [Unicode.Scalar], _ place: inout Int, depth: Int) -> Bool {
        while place < pattern.count {
            let scalar = pattern[place]
            if depth > 0, scalar == "," || scalar == "}" { return true }
            place += 1
            switch scalar {
            case "*":
                let crosses = place < pattern.count && pattern[place] == "*"
                while place < pattern.count, pattern[place] == "*" { place += 1 }
                star(crossing: crosses)
            case "?": steps.append(.any(crossing: false))
            case "[":
                guard let set = Self.set(pattern, &place) else { return false }
                steps.append(set)
            case "{":
                guard depth < 8, alternatives(pattern, &place, depth: depth + 1) else { return false }
            case "\\":
                guard place < pattern.count else { return false }
                steps.append(.one(pattern[place]))
                place += 1
            default: steps.append(.one(scalar))
            }
        }
        return depth == 0
    }

    /// A loop: take a character and come back, or go on.
    private mutating func star(crossing: Bool) {
        let start = steps.count
        steps += [.branch([start + 1, start + 3]), .any(crossing: crossing), .branch([start])]
    }

    private mutating func alternatives(_ pattern: [Unicode.Scalar], _ place: inout Int, depth: Int) -> Bool {
        let fork = steps.count
        steps.append(.branch([]))
        var starts: [Int] = []
        var jumps: [Int] = []
        while true {
            starts.append(steps.count)
            guard compile(pattern, &place, depth: depth), place < pattern.count else { return false }
            jumps.append(steps.count)
            steps.append(.branch([]))
            place += 1
            if pattern[place - 1] == "}" { break }
        }
        steps[fork] = .branch(starts)
        for jump in jumps { steps[jump] = .branch([steps.count]) }
        return true
    }

    private static func set(_ pattern: [Unicode.Scalar], _ place: inout Int) -> Step? {
        var isNegated = false
        if place < pattern.count, pattern[place] == "!" || pattern[place] == "^" {
            isNegated = true
            place += 1
        }
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while place < pattern.count {
            let low = pattern[place]
            if low == "]" {
                place += 1
                return ranges.isEmpty ? nil : .set(ranges, isNegated: isNegated)
            }
            var high = low
            if place + 2 < pattern.count, pattern[place + 1] == "-", pattern[place + 2] != "]" {
                high = pattern[place + 2]
                place += 2
            }
            guard low <= high else { return nil }
            ranges.append(low...high)
            place += 1
        }
        return nil
    }
}
