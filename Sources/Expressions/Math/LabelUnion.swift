// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One joined pair of items, by their places, with the labels of the result.
struct LabelPair: Equatable {
    var left: Int
    var right: Int
    var labels: Labels
}

/// Which items of two results belong together.
///
/// Items join when their labels are equal, when one has none, or when the labels of one contain those of the other; the
/// result has the larger set. All pairs that fit join, the left side in the outer loop.
struct LabelUnion {
    private(set) var pairs: [LabelPair] = []
    /// The places of the items that joined nothing.
    private(set) var leftDrops: [Int] = []
    private(set) var rightDrops: [Int] = []

    /// The items of one side that have the same label names.
    private struct Group {
        var names: Set<String>
        var items: [Int] = []
    }

    /// - Parameter maximumPairs: The most pairs.
    /// - Throws: ``ExpressionError`` `.limit` past that, or why the checkpoint stops.
    /// - Complexity: O(items + pairs) for each pair of sets of label names.
    init(
        _ left: [Labels], _ right: [Labels], maximumPairs: Int, checkpoint: ExpressionCheckpoint = .none
    ) throws(ExpressionError) {
        guard !left.isEmpty, !right.isEmpty else { return }
        let leftGroups = Self.groups(left)
        let rightGroups = Self.groups(right)
        var found: [(left: Int, right: Int)] = []
        for group in leftGroups {
            try checkpoint.check()
            for other in rightGroups {
                guard group.names.isSubset(of: other.names) || other.names.isSubset(of: group.names) else { continue }
                try Self.join(group, left, other, right, maximumPairs, &found)
            }
        }
        found.sort { $0.left != $1.left ? $0.left < $1.left : $0.right < $1.right }
        pairs = found.map { pair in
            let (one, other) = (left[pair.left], right[pair.right])
            return LabelPair(left: pair.left, right: pair.right, labels: one.count >= other.count ? one : other)
        }
        if pairs.isEmpty, left.count == 1, right.count == 1 {
            // A single item on each side joins whatever its labels are, and loses them.
            pairs = [LabelPair(left: 0, right: 0, labels: [:])]
            return
        }
        findDrops(left.count, right.count, found)
    }

    private mutating func findDrops(_ leftCount: Int, _ rightCount: Int, _ found: [(left: Int, right: Int)]) {
        let usedLeft = Set(found.lazy.map(\.left))
        let usedRight = Set(found.lazy.map(\.right))
        leftDrops = (0..<leftCount).filter { !usedLeft.contains($0) }
        rightDrops = (0..<rightCount).filter { !usedRight.contains($0) }
    }

    private static func groups(_ items: [Labels]) -> [Group] {
        var places: [Set<String>: Int] = [:]
        var groups: [Group] = []
        for (index, labels) in items.enumerated() {
            let names = Set(labels.keys)
            let place = places[names] ?? groups.count
            if place == groups.count {
                places[names] = place
                groups.append(Group(names: names))
            }
            groups[place].items.append(index)
        }
        return groups
    }

    /// Joins two groups by the values of the label names that both have.
    private static func join(
        _ group: Group, _ left: [Labels], _ other: Group, _ right: [Labels], _ maximum: Int,
        _ found: inout [(left: Int, right: Int)]
    ) throws(ExpressionError) {
        let names = (group.names.count <= other.names.count ? group.names : other.names).sorted()
        var index: [[String]: [Int]] = [:]
        for item in other.items { index[names.map { right[item][$0] ?? "" }, default: []].append(item) }
        for item in group.items {
            guard let matches = index[names.map({ left[item][$0] ?? "" })] else { continue }
            guard found.count + matches.count <= maximum else {
                throw ExpressionError(
                    .limit,
                    "combining \(left.count) with \(right.count) items gives more than \(maximum) pairs; check that "
                        + "both sides have the same label names and values")
            }
            for match in matches { found.append((item, match)) }
        }
    }
}
