// SPDX-License-Identifier: Apache-2.0

/// What is written where when an archive is unpacked: decided from its directory alone, before a byte is written.
///
/// The folder that holds everything, if there is one, is left out, whatever its name is.
struct UnpackPlan: Sendable, Equatable {
    struct File: Sendable, Equatable {
        var entry: ArchiveEntry
        /// Relative, in the form of ``SafeName``.
        var path: String
        var isExecutable: Bool
    }

    /// Each after the folder above it.
    var folders: [String]
    var files: [File]
    var totalBytes: UInt64

    /// - Parameter archiveBytes: The size of the whole archive.
    /// - Throws: ``CatalogError`` with one of the codes `archive-…`.
    init(_ entries: [ArchiveEntry], archiveBytes: UInt64, subject: String, limits: ArchiveLimits = ArchiveLimits())
        throws
    {
        let checks = EntryChecks(subject: subject, limits: limits)
        var names = NameSet(subject: subject)
        var planned: [(entry: ArchiveEntry, path: String)] = []
        var total: UInt64 = 0
        for entry in entries {
            try checks.check(entry)
            let path = try checks.path(of: entry)
            try names.add(path, isFolder: entry.kind == .folder)
            let (sum, isHuge) = total.addingReportingOverflow(entry.size)
            guard !isHuge, sum <= limits.totalBytes else {
                throw checks.tooLarge("it would take more than \(limits.totalBytes) bytes")
            }
            total = sum
            planned.append((entry, path))
        }
        try checks.checkRatio(size: total, packed: archiveBytes, "the archive")
        guard planned.contains(where: { $0.entry.kind == .file }) else {
            throw CatalogError(.archiveMalformed, "\(subject): it has no files; build the package again")
        }
        let root = Self.root(of: planned.map(\.path), entries: entries)
        folders = names.folders.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.compactMap {
            Self.below(root, $0)
        }
        files = planned.filter { $0.entry.kind == .file }.compactMap { entry, path in
            Self.below(root, path).map {
                File(entry: entry, path: $0, isExecutable: entry.isExecutable || Self.isProgram($0))
            }
        }
        totalBytes = total
    }

    /// The one folder that everything is in; nil when plugin.json or anything else lies at the top.
    private static func root(of paths: [String], entries: [ArchiveEntry]) -> String? {
        guard let first = paths.first?.split(separator: "/").first else { return nil }
        let isShared = zip(paths, entries).allSatisfy { path, entry in
            path.hasPrefix(first + "/") || (path == first && entry.kind == .folder)
        }
        return isShared ? String(first) : nil
    }

    private static func below(_ root: String?, _ path: String) -> String? {
        guard let root else { return path }
        return path == root ? nil : String(path.dropFirst(root.count + 1))
    }

    /// Programs of plugins that were packed on a system without modes.
    ///
    /// - SeeAlso: Grafana, `pkg/plugins/storage/fs.go`.
    private static func isProgram(_ path: String) -> Bool {
        ["_linux_amd64", "_linux_arm", "_linux_arm64", "_darwin_amd64", "_darwin_arm64", "_windows_amd64.exe"].contains
        {
            path.hasSuffix($0)
        }
    }
}

/// What each entry must be.
private struct EntryChecks {
    let subject: String
    let limits: ArchiveLimits

    func check(_ entry: ArchiveEntry) throws {
        switch entry.kind {
        case .link: throw special(entry, "a link")
        case .special: throw special(entry, "a device, a pipe or something else that is no file")
        case .file, .folder: break
        }
        guard !entry.isEncrypted, entry.isCommonMethod else {
            throw CatalogError(
                .archiveMalformed,
                "\(subject): '\(entry.shownName)' is encrypted or packed in an uncommon way; pack it with deflate")
        }
        guard entry.kind == .file || entry.size == 0 else {
            throw CatalogError(
                .archiveMalformed, "\(subject): the folder '\(entry.shownName)' has content; build it again")
        }
        try checkRatio(size: entry.size, packed: entry.packedBytes, "'\(entry.shownName)'")
    }

    func path(of entry: ArchiveEntry) throws -> String {
        do {
            return try SafeName(entry.name, limits: limits).path
        } catch {
            throw CatalogError(
                .archiveUnsafeName,
                "\(subject): archive member \"\(entry.shownName)\" \(error.fact); do not use this archive, and tell its "
                    + "publisher")
        }
    }

    func checkRatio(size: UInt64, packed: UInt64, _ name: String) throws {
        guard size > limits.ratioFreeBytes, size / max(packed, 1) >= limits.ratio else { return }
        throw tooLarge("\(name) would become \(size / max(packed, 1)) times as large as it is packed")
    }

    func tooLarge(_ fact: String) -> CatalogError {
        CatalogError(.archiveTooLarge, "\(subject): \(fact); it is no plugin")
    }

    private func special(_ entry: ArchiveEntry, _ what: String) -> CatalogError {
        CatalogError(
            .archiveSpecialFile, "\(subject): '\(entry.shownName)' is \(what); replace it by a copy of the file")
    }
}

/// The names of an archive: none twice, also where a file system ignores case or how accents are composed.
private struct NameSet {
    let subject: String
    private(set) var folders: Set<String> = []
    private var seen: [String: (path: String, isFolder: Bool)] = [:]

    init(subject: String) { self.subject = subject }

    mutating func add(_ path: String, isFolder: Bool) throws {
        let parts = path.split(separator: "/")
        for count in 1..<parts.count { try note(parts[..<count].joined(separator: "/"), isFolder: true) }
        try note(path, isFolder: isFolder)
    }

    private mutating func note(_ path: String, isFolder: Bool) throws {
        // Strings that differ in the composition of accents are equal in Swift.
        let key = path.lowercased()
        if let other = seen[key] {
            let isSame = other.path.utf8.elementsEqual(path.utf8) && other.isFolder && isFolder
            guard isSame else {
                throw CatalogError(
                    .archiveDuplicateName,
                    "\(subject): '\(path)' and '\(other.path)' are one file on some systems; do not use this archive")
            }
            return
        }
        seen[key] = (path, isFolder)
        if isFolder { folders.insert(path) }
    }
}
