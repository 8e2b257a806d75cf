// SPDX-License-Identifier: Apache-2.0

/// An id that is safe as a folder's name and as a part of a URL.
///
/// Wider than the schema's `^[0-9a-z]+\-([0-9a-z]+\-)?(app|panel|datasource)$`, which older plugins break.
enum PluginID {
    /// More than any id has; twice this is still a file name.
    static let longest = 120

    /// Whether a name in the plugins folder is a file's: the catalogue's own, or a hidden one.
    ///
    /// In capitals too, which some file systems take for the same.
    static func isReserved(_ name: String) -> Bool {
        let name = name.lowercased()
        return name.hasPrefix(".") || [PluginsFolder.lockFileName, PluginsFolder.lockFileName + ".new"].contains(name)
    }

    static func isValid(_ id: String) -> Bool {
        guard let first = id.utf8.first, id.utf8.count <= longest, !isReserved(id) else { return false }
        return isAlphanumeric(first) && id.utf8.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    /// - Throws: ``CatalogError`` `.idInvalid`.
    static func check(_ id: String) throws {
        guard !isValid(id) else { return }
        guard !isReserved(id) else {
            throw CatalogError(
                .idInvalid,
                "plugin '\(id.prefix(longest))': the name is reserved for a file of the plugins folder; choose another id"
            )
        }
        throw CatalogError(
            .idInvalid,
            "plugin '\(id.prefix(longest))': an id has letters, digits, '-', '_' and '.' alone; correct it, or write "
                + "./FILE for a file")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }
}
