// SPDX-License-Identifier: Apache-2.0
import CZip
import Glibc
import Signing
import Synchronization

/// The plugin in a zip file, without unpacking it: its one folder with plugin.json, or the root of the archive.
///
/// Anything that an unpacker could write elsewhere is refused: names that climb or are absolute, links, names twice.
struct ZipContent: PluginContent {
    let paths: [String]
    private let handles: Handles
    /// The place in the archive and the size of each file.
    private let entries: [String: Entry]

    private struct Entry: Sendable {
        var index: UInt64
        var size: UInt64
    }

    /// More files, or more bytes, than any real plugin has.
    private static let maximumFiles = 200_000
    private static let maximumBytes: UInt64 = 8 << 30

    /// - Throws: ``CommandFailure`` `.badData` for a file that is no zip or breaks a rule, `.inputOutput` for one that
    ///   cannot be read.
    init(_ path: String) throws {
        let handles = Handles(path)
        let archive = try handles.take()
        defer { handles.give(archive) }
        var entries: [String: Entry] = [:]
        var total: UInt64 = 0
        let count = zip_get_num_entries(archive.zip, 0)
        guard count <= Self.maximumFiles else { throw Self.refusal(path, "it has \(count) entries") }
        for index in 0..<UInt64(max(0, count)) {
            var status = zip_stat_t()
            guard zip_stat_index(archive.zip, index, 0, &status) == 0, let raw = status.name,
                let name = String(validatingCString: raw)
            else { throw Self.refusal(path, "the name of entry \(index) is no UTF-8") }
            guard try Self.isFile(archive.zip, index, name, path: path) else { continue }
            guard entries.updateValue(Entry(index: index, size: status.size), forKey: name) == nil else {
                throw Self.refusal(path, "it has '\(name)' twice")
            }
            total += min(status.size, Self.maximumBytes)
            guard total <= Self.maximumBytes else { throw Self.refusal(path, "it unpacks to more than 8 GiB") }
        }
        let root = try Self.root(of: Array(entries.keys), path: path)
        self.entries = Dictionary(
            uniqueKeysWithValues: entries.map { (String($0.key.dropFirst(root.count)), $0.value) })
        self.handles = handles
        paths = Array(self.entries.keys)
    }

    /// Whether the entry is a file; folders have a name that ends with a slash.
    private static func isFile(_ zip: OpaquePointer, _ index: UInt64, _ name: String, path: String) throws -> Bool {
        // By bytes, as files are named: to a character "/" and an accent are one.
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isFolder = parts.last?.isEmpty ?? true
        let climbs = (isFolder ? parts.dropLast() : parts[...]).contains { part in
            part.isEmpty || part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)
        }
        guard !name.utf8.starts(with: "/".utf8), !name.utf8.contains(0x5C), !climbs else {
            throw refusal(path, "the name '\(name)' leads out of the plugin's folder")
        }
        var system: UInt8 = 0
        var attributes: UInt32 = 0
        guard zip_file_get_external_attributes(zip, index, 0, &system, &attributes) == 0 else { return !isFolder }
        let kind = mode_t(attributes >> 16) & S_IFMT
        guard system != UInt8(ZIP_OPSYS_UNIX) || [0, S_IFREG, S_IFDIR].contains(kind) else {
            throw refusal(path, "'\(name)' is a link or a device")
        }
        return !isFolder
    }

    /// The folder with the outermost plugin.json, with its slash.
    private static func root(of names: [String], path: String) throws -> String {
        let descriptors = names.filter { $0 == "plugin.json" || $0.hasSuffix("/plugin.json") }
        guard let outermost = descriptors.min(by: { $0.utf8.count < $1.utf8.count }) else {
            throw refusal(path, "it has no plugin.json")
        }
        let root = String(outermost.dropLast("plugin.json".count))
        if let other = names.first(where: { !$0.hasPrefix(root) }) {
            throw refusal(path, "'\(other)' is not in the plugin's folder '\(root)'")
        }
        return root
    }

    private static func refusal(_ path: String, _ fact: String) -> CommandFailure {
        CommandFailure(.badData, "'\(path)': \(fact); get the archive again from the plugin's author")
    }

    func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        var bytes: [UInt8] = []
        try read(path) { (piece) throws(SigningError) in
            bytes += piece
            guard bytes.count <= limit else {
                throw SigningError(.fileTooLarge, "'\(path)' has more than \(limit) bytes")
            }
        }
        return bytes
    }

    func digest(of path: String) throws(SigningError) -> FileDigest {
        var hasher = FileHasher()
        try read(path) { (piece) throws(SigningError) in hasher.update(piece) }
        return hasher.digest()
    }

    private func read(
        _ path: String, _ piece: (UnsafeRawBufferPointer) throws(SigningError) -> Void
    ) throws(SigningError) {
        guard let entry = entries[path] else { throw SigningError(.fileUnreadable, "there is no '\(path)'") }
        let archive: Handles.Archive
        do { archive = try handles.take() } catch { throw SigningError(.fileUnreadable, "'\(path)': \(error)") }
        defer { handles.give(archive) }
        guard let file = zip_fopen_index(archive.zip, entry.index, 0) else {
            throw SigningError(.fileUnreadable, "'\(path)' is damaged or encrypted in the archive")
        }
        defer { zip_fclose(file) }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
        defer { chunk.deallocate() }
        var size: UInt64 = 0
        while true {
            let count = zip_fread(file, chunk.baseAddress, UInt64(chunk.count))
            guard count >= 0 else { throw SigningError(.fileUnreadable, "'\(path)' is damaged in the archive") }
            guard count > 0 else { break }
            size += UInt64(count)
            // A bomb says less than it is.
            guard size <= entry.size else {
                throw SigningError(.fileUnreadable, "'\(path)' is larger than the archive says")
            }
            try piece(UnsafeRawBufferPointer(rebasing: chunk[..<Int(count)]))
        }
    }
}

extension ZipContent {
    /// Open archives, one for each thread that reads: libzip's are not for two threads at once.
    private final class Handles: Sendable {
        /// An archive, used by the one who took it.
        struct Archive: Sendable {
            // Safety: taken out of the list under its lock, so one thread at a time has it.
            nonisolated(unsafe) let zip: OpaquePointer  // Safety: one thread has it at a time
        }

        private let path: String
        private let idle = Mutex<[Archive]>([])

        init(_ path: String) {
            self.path = path
        }

        deinit {
            idle.withLock { archives in archives.forEach { zip_discard($0.zip) } }
        }

        func take() throws -> Archive {
            if let archive = idle.withLock({ $0.popLast() }) { return archive }
            var code: Int32 = 0
            guard let zip = zip_open(path, ZIP_RDONLY, &code) else {
                guard code == ZIP_ER_OPEN || code == ZIP_ER_NOENT || code == ZIP_ER_READ else {
                    throw CommandFailure(.badData, "'\(path)': it is neither a folder nor a zip file; name another one")
                }
                throw CommandFailure(
                    .inputOutput, "'\(path)': \(Terminal.systemMessage(errno)); name a folder or zip file that is there"
                )
            }
            return Archive(zip: zip)
        }

        func give(_ archive: Archive) {
            idle.withLock { $0.append(archive) }
        }
    }
}
