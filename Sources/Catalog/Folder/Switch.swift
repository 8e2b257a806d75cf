// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import PluginABI

/// Puts a plugin's new folder into the place of the old one, by one rename that no loader can see half done.
///
/// A journal is written first. After a kill at any point ``recover(_:)`` finishes the switch if the rename has happened,
/// and forgets it otherwise: the new folder is known by its inode.
struct Switch {
    /// What a journal says; without `new` the plugin goes, and paths start at the plugins folder.
    private struct Journal {
        var id: String
        var target: String
        /// The inode that the target has when the rename has happened; nil when the target goes.
        var inode: UInt64?
        /// Where the new folder was, and the old one is after an exchange.
        var staged: String
        var new: LockedPlugin?
        var old: LockedPlugin?

        init(id: String, target: String, inode: UInt64?, staged: String, new: LockedPlugin?, old: LockedPlugin?) {
            self.id = id
            self.target = target
            self.inode = inode
            self.staged = staged
            self.new = new
            self.old = old
        }

        init?(_ bytes: [UInt8]) {
            guard let json = try? JSONValue(parsing: bytes), let id = json["id"]?.string,
                let target = json["target"]?.string, let staged = json["staged"]?.string
            else { return nil }
            self.id = id
            self.target = target
            self.staged = staged
            inode = json["inode"]?.string.flatMap { UInt64($0) }
            new = json["new"].flatMap { LockedPlugin(id: id, json: $0) }
            old = json["old"].flatMap { LockedPlugin(id: id, json: $0) }
        }

        var bytes: [UInt8] {
            var object: JSONObject = [
                "id": .string(id), "target": .string(target), "staged": .string(staged),
            ]
            if let inode { object["inode"] = .string(String(inode)) }
            if let new { object["new"] = new.json }
            if let old { object["old"] = old.json }
            return Array(JSONValue.object(object).encoded().utf8)
        }
    }

    let folder: PluginsFolder

    /// Puts a staged folder in place; what was there is kept for ``rollBack(_:to:)``.
    ///
    /// - Parameters:
    ///   - staged: On the same file system, complete and checked.
    ///   - spare: Where the version goes that was kept so far, for an undo; without one it is removed.
    func install(
        _ staged: String, as new: LockedPlugin, replacing old: LockedPlugin?, sparing spare: String? = nil
    ) throws {
        try PluginsFolder.Owner(of: folder)?.adopt(staged)
        try perform(
            Journal(
                id: new.id, target: new.folder, inode: FileTree.inode(of: staged), staged: relative(staged),
                new: new, old: old), sparing: spare)
    }

    /// Puts the kept version back; the present one is kept instead.
    func rollBack(from present: LockedPlugin, to kept: LockedPlugin) throws {
        let staged = folder.keptTree(kept.id)
        try perform(
            Journal(
                id: kept.id, target: kept.folder, inode: FileTree.inode(of: staged), staged: relative(staged),
                new: kept, old: present))
    }

    /// Takes a plugin away, its kept version too.
    ///
    /// - Parameter staged: A path for the folder on its way out, on the same file system.
    func remove(id: String, target: String, staged: String) throws {
        try perform(
            Journal(id: id, target: relative(target), inode: nil, staged: relative(staged), new: nil, old: nil))
    }

    private func relative(_ path: String) -> String { String(path.dropFirst(folder.path.count + 1)) }

    private func perform(_ journal: Journal, sparing spare: String? = nil) throws {
        // What the rename makes visible has to be on the disk before it.
        let root = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw CatalogError.system("open", folder.path, errno) }
        defer { close(root) }
        guard linux_sync_file_system(root) == 0 else { throw CatalogError.system("write", folder.path, errno) }
        try FileTree.replace(folder.journal, with: journal.bytes, temporary: folder.journal + ".new")
        do {
            try Self.rename(journal, folder)
        } catch {
            unlink(folder.journal)
            throw error
        }
        try Self.finish(journal, folder, sparing: spare)
    }

    private static func rename(_ journal: Journal, _ folder: PluginsFolder) throws {
        let (target, staged) = ("\(folder.path)/\(journal.target)", "\(folder.path)/\(journal.staged)")
        guard journal.inode != nil else {
            guard Glibc.rename(target, staged) == 0 else { throw CatalogError.system("remove", target, errno) }
            return
        }
        let hasOld = FileTree.kind(of: target) != nil
        let result = hasOld ? linux_exchange(staged, target) : linux_rename_new(staged, target)
        guard result == 0 else {
            // An overlay answers EXDEV for a folder of a lower layer, such as one that an image brought.
            let cannot = [EINVAL, ENOSYS, EXDEV].contains(errno)
            throw cannot ? unable(target) : CatalogError.system("put in place", target, errno)
        }
    }

    private static func unable(_ target: String) -> CatalogError {
        CatalogError(
            .folderFailed,
            "'\(target)': its file system cannot exchange two folders at once; put the plugins folder on a local one "
                + "such as ext4, xfs, btrfs or tmpfs")
    }

    /// What is left to do once the rename has happened; may be done again after a kill in it.
    private static func finish(_ journal: Journal, _ folder: PluginsFolder, sparing spare: String? = nil) throws {
        let id = journal.id
        let staged = "\(folder.path)/\(journal.staged)"
        if journal.new == nil {
            try FileTree.remove(folder.kept(id))
            try FileTree.remove(staged)
        } else if journal.old != nil, staged != folder.keptTree(id), FileTree.kind(of: staged) == .folder {
            if let spare, FileTree.kind(of: folder.kept(id)) == .folder {
                try FileTree.move(folder.kept(id), to: spare)
            }
            try FileTree.remove(folder.kept(id))
            try FileTree.makeFolder("\(folder.workspace)/kept")
            try FileTree.makeFolder(folder.kept(id))
            try FileTree.move(staged, to: folder.keptTree(id))
        }
        if let old = journal.old, FileTree.kind(of: folder.keptTree(id)) == .folder {
            let entry = Array(JSONText.indented(old.json).utf8)
            try FileTree.replace(folder.keptEntry(id), with: entry, temporary: folder.keptEntry(id) + ".new")
        }
        var lock = try PluginLockFile(of: folder)
        lock.plugins[id] = journal.new
        // Who published a plugin is never forgotten for "nobody", and going back to a version says nothing about it.
        if let new = journal.new, staged != folder.keptTree(id),
            new.publisher.fingerprint != nil || lock.publishers[id] == nil
        {
            lock.publishers[id] = new.publisher.pin
        }
        try lock.save(to: folder)
        unlink(folder.journal)
    }

    /// Finishes or forgets what a killed process left.
    static func recover(_ folder: PluginsFolder) throws {
        guard let bytes = try FileTree.read(folder.journal) else { return }
        // A journal is replaced as a whole: one that cannot be read is not ours to act on.
        guard let journal = Journal(bytes) else {
            throw CatalogError(
                .folderFailed, "'\(folder.journal)': it is damaged; look at the plugins beside it, then remove it")
        }
        let present = FileTree.inode(of: "\(folder.path)/\(journal.target)")
        let hasHappened = journal.inode == nil ? present == nil : present == journal.inode
        if hasHappened { try finish(journal, folder) } else { unlink(folder.journal) }
    }
}
