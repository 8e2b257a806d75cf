// SPDX-License-Identifier: Apache-2.0

/// Judges who made a package and whether that is trusted, before it is put in place.
protocol PackageJudge: Sendable {
    /// - Parameter folder: The unpacked package; nobody else writes to it.
    /// - Returns: Who signed it, with the status `valid` or, where that is allowed, `unsigned`.
    /// - Throws: ``CatalogError`` `.signatureRefused` with the verdict's reason.
    func judge(folder: String, facts: PackageFacts) throws -> LockedPlugin.Publisher

    /// Whether two keys, by their fingerprints, are of one publisher, such as a key and its successor.
    func isSamePublisher(_ one: String, _ other: String) -> Bool
}
