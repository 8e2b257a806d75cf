// SPDX-License-Identifier: Apache-2.0

/// Finds what a mistyped name was probably meant to be.
enum NearestName {
    /// The candidate with the fewest edits to `name`, if they are few for its length; the first by alphabet among equals.
    static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let limit = max(1, name.count / 3)
        var best: (name: String, edits: Int)?
        for candidate in candidates.sorted() where abs(candidate.count - name.count) <= limit {
            let edits = distance(Array(name.lowercased().utf8), Array(candidate.lowercased().utf8))
            if edits <= limit, edits < best?.edits ?? .max { best = (candidate, edits) }
        }
        return best?.name
    }

    /// The number of bytes to insert, delete, replace, or swap with their neighbour.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                var edits = min(replaced, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    edits = min(edits, beforeLast[column - 1] + 1)
                }
                current.append(edits)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
