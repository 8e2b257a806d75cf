// SPDX-License-Identifier: Apache-2.0

extension DataFrame {
    /// The rows of all pieces under the schema of the first; halves are joined so that each row is copied O(log n) times.
    ///
    /// - Returns: nil when the pieces do not fit together.
    public static func joining(_ pieces: some RandomAccessCollection<DataFrame>) -> DataFrame? {
        guard pieces.count > 1 else { return pieces.first }
        let middle = pieces.index(pieces.startIndex, offsetBy: pieces.count / 2)
        guard let left = joining(pieces[..<middle]), let right = joining(pieces[middle...]) else { return nil }
        return try? left.appending(right)
    }
}
