// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import PluginABI

/// Puts a plugin's new folder into the place of the old one, by one rename that no loader can see half done.
///
/// A journal is written first. After a kill at any point ``recover(_:)`` finishes the switch if the rename has happened,
/// and forgets it otherwise: the new folder is known by its inode. What needs room on the disk is written before the rename
/// too, so that a full disk leaves the old version; what fails after it all the same is taken back.
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
        /// Who publishes the plugin from now on, where a roll-back brings another one back.
        var publisher: String?

        init(
            id: String, target: String, inode: UInt64?, staged: String, new: LockedPlugin?, old: LockedPlugin?,
            publisher: String? = nil
        ) {
            self.id = id
            self.target = target
            self.inode = inode
            self.staged = staged
            self.new = new
            self.old = old
            self.publisher = publisher
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
            publisher = json["publisher"]?.string
        }

        var bytes: [UInt8] {
            var object: JSONObject = [
                "id": .string(id), "target": .string(target), "staged": .string(staged),
            ]
            if let inode { object["inode"] = .string(String(inode)) }
            if let new { object["new"] = new.json }
            if let old { object["old"] = old.json }
            if let publisher { object["publisher"] = .string(publisher) }
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
    ///
    /// - Parameter publisher: Whom the next version has to come from; nil when that does not change.
    func rollBack(from present: LockedPlugin, to kept: LockedPlugin, publisher: String? = nil) throws {
        let staged = folder.keptTree(kept.id)
        try perform(
            Journal(
                id: kept.id, target: kept.folder, inode: FileTree.inode(of: staged), staged: relative(staged),
                new: kept, old: present, publisher: publisher))
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
        do {
            try FileTree.replace(folder.journal, with: journal.bytes, temporary: folder.journal + ".new")
            try Self.prepare(journal, folder)
            try Self.rename(journal, folder)
        } catch {
            Self.forget(folder)
            throw error
        }
        do {
            try Self.finish(journal, folder, sparing: spare)
        } catch {
            if Self.takeBack(journal, folder, from: spare) { Self.forget(folder) }
            throw error
        }
    }

    /// Leaves nothing of a switch that did not happen.
    private static func forget(_ folder: PluginsFolder) {
        // The next claim removes what cannot be removed now.
        for leftover in folder.temporaries { try? FileTree.remove(leftover) }
        unlink(folder.journal)
    }

    /// Undoes an installation, also a part of what follows the rename.
    ///
    /// - Parameter spare: Where the version may be by now that was kept before.
    /// - Returns: Whether all is as it was; if not, the next claim finishes the switch.
    private static func takeBack(_ journal: Journal, _ folder: PluginsFolder, from spare: String?) -> Bool {
        let (target, staged) = ("\(folder.path)/\(journal.target)", "\(folder.path)/\(journal.staged)")
        guard let inode = journal.inode, FileTree.inode(of: target) == inode, staged != folder.keptTree(journal.id)
        else { return false }
        guard journal.old != nil else { return linux_rename_new(target, staged) == 0 }
        let kept = folder.kept(journal.id)
        if FileTree.kind(of: staged) == nil { try? FileTree.move(folder.keptTree(journal.id), to: staged) }
        guard FileTree.kind(of: staged) == .folder, linux_exchange(staged, target) == 0 else { return false }
        if FileTree.kind(of: folder.newKept) == nil { try? FileTree.remove(kept) }
        if let spare, FileTree.kind(of: spare) == .folder { try? FileTree.move(spare, to: kept) }
        return true
    }

    /// Writes what ``finish(_:_:sparing:)`` only has to move.
    private static func prepare(_ journal: Journal, _ folder: PluginsFolder) throws {
        if let old = journal.old {
            try FileTree.makeFolder("\(folder.workspace)/kept")
            try FileTree.makeFolder(folder.newKept)
            try FileTree.write(Array(JSONText.indented(old.json).utf8), to: folder.newKeptEntry)
        }
        try FileTree.write(lock(after: journal, folder).bytes, to: folder.newLockFile)
    }

    private static func lock(after journal: Journal, _ folder: PluginsFolder) throws -> PluginLockFile {
        var lock = try PluginLockFile(of: folder)
        lock.plugins[journal.id] = journal.new
        // Who published a plugin is never forgotten for "nobody", and going back to a version says nothing about it.
        let isRollBack = "\(folder.path)/\(journal.staged)" == folder.keptTree(journal.id)
        if let new = journal.new, !isRollBack,
            new.publisher.fingerprint != nil || lock.publishers[journal.id] == nil
        {
            lock.publishers[journal.id] = new.publisher.pin
        }
        if let publisher = journal.publisher { lock.publishers[journal.id] = publisher }
        return lock
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
            // Made anew after a kill in the middle of this.
            try FileTree.makeFolder(folder.newKept)
            try FileTree.move(folder.newKept, to: folder.kept(id))
            try FileTree.move(staged, to: folder.keptTree(id))
        }
        if let old = journal.old, FileTree.kind(of: folder.keptTree(id)) == .folder {
            if FileTree.kind(of: folder.newKeptEntry) == nil {
                try FileTree.write(Array(JSONText.indented(old.json).utf8), to: folder.newKeptEntry)
            }
            try FileTree.replace(folder.keptEntry(id), by: folder.newKeptEntry)
        }
        if FileTree.kind(of: folder.newLockFile) == nil {
            try FileTree.write(lock(after: journal, folder).bytes, to: folder.newLockFile)
        }
        try FileTree.replace(folder.lockFile, by: folder.newLockFile)
        for leftover in [folder.newKept, folder.newKeptEntry] { try FileTree.remove(leftover) }
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
        guard hasHappened else { return forget(folder) }
        // A file that was being written when the process was killed may be a part of one.
        for leftover in [folder.newLockFile, folder.newKeptEntry] { try FileTree.remove(leftover) }
        try finish(journal, folder)
    }
}
