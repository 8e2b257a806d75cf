// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The folders that are watched, and the plugin folder that each of them belongs to.
struct WatchTree: Sendable {
    /// What happened, collected until it is taken.
    struct Findings: Sendable {
        var folders: Set<String> = []
        var needsFullRescan = false
        var warning: String?

        var isEmpty: Bool { folders.isEmpty && !needsFullRescan && warning == nil }

        var change: PluginWatcher.Change {
            PluginWatcher.Change(folders: folders.sorted(), needsFullRescan: needsFullRescan, warning: warning)
        }

        mutating func merge(_ other: Findings) {
            folders.formUnion(other.folders)
            needsFullRescan = needsFullRescan || other.needsFullRescan
            warning = warning ?? other.warning
        }
    }

    /// What a watched folder is.
    private struct Place: Sendable, Hashable {
        var path: String
        /// The plugin folder to report; nil for a collection, whose entries are plugin folders themselves.
        var owner: String?
        /// The source whose own folder this is.
        var source: PluginSource?
    }

    private let inotify: Int32
    /// One folder may be reached in several ways, by symlinks.
    private var places: [Int32: Set<Place>] = [:]
    private var owners: Set<String> = []
    private var missing: [PluginSource] = []
    private var findings = Findings()
    private var hasWarned = false

    init(inotify: Int32, sources: [PluginSource]) {
        self.inotify = inotify
        for source in sources where !add(source) { missing.append(source) }
    }

    var hasMissingSources: Bool { !missing.isEmpty }

    mutating func takeFindings() -> Findings {
        defer { findings = Findings() }
        return findings
    }

    /// Looks again for the sources that did not exist; what came is reported.
    mutating func retryMissingSources() {
        guard !missing.isEmpty else { return }
        let candidates = missing
        missing = []
        for source in candidates {
            if add(source) { reportAll(of: source) } else { missing.append(source) }
        }
    }

    mutating func handle(_ event: WatchEvent) {
        if event.has(Int(IN_Q_OVERFLOW)) { return rewatchEverything() }
        guard let here = places[event.watch] else { return }
        for place in here {
            if event.has(Int(IN_IGNORED), Int(IN_DELETE_SELF), Int(IN_MOVE_SELF), Int(IN_UNMOUNT)) {
                folderIsGone(place)
            } else if !event.name.isEmpty {
                entryChanged(event.name, in: place, event)
            } else if let owner = place.owner {
                findings.folders.insert(owner)
            }
        }
        if event.has(Int(IN_IGNORED)) { places[event.watch] = nil }
    }

    private mutating func entryChanged(_ name: String, in place: Place, _ event: WatchEvent) {
        let path = FilePath.join(place.path, name)
        let isFolder = FileSystem.status(of: path)?.isFolder == true
        guard let owner = place.owner else {
            guard name != PluginSource.catalogFolder else { return }
            guard isFolder || owners.contains(path) else { return }
            findings.folders.insert(path)
            if isFolder { addTree(path, owner: path) } else { owners.remove(path) }
            return
        }
        findings.folders.insert(owner)
        if isFolder, event.has(Int(IN_CREATE), Int(IN_MOVED_TO)) { addTree(path, owner: owner) }
    }

    private mutating func folderIsGone(_ place: Place) {
        if let owner = place.owner { findings.folders.insert(owner) }
        guard let source = place.source, !missing.contains(source) else { return }
        if case .collection = source {
            findings.folders.formUnion(owners.filter { FilePath.isInside($0, folder: place.path) })
        }
        missing.append(source)
    }

    private mutating func rewatchEverything() {
        findings.needsFullRescan = true
        let here = Set(places.values.joined())
        for place in here where FileSystem.status(of: place.path)?.isFolder == true {
            if let source = place.source {
                _ = add(source)
            } else if let owner = place.owner {
                addTree(place.path, owner: owner)
            }
        }
    }

    private mutating func reportAll(of source: PluginSource) {
        let path = FilePath.withoutTrailingSlash(source.path)
        switch source {
        case .folder: findings.folders.insert(path)
        case .collection: findings.folders.formUnion(owners.filter { FilePath.isInside($0, folder: path) })
        }
    }
}

extension WatchTree {
    private static let mask = UInt32(
        IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF
            | IN_MOVE_SELF | IN_ONLYDIR)

    /// Watches a source's folder; false when there is none.
    private mutating func add(_ source: PluginSource) -> Bool {
        let path = FilePath.withoutTrailingSlash(source.path)
        switch source {
        case .folder:
            return addTree(path, owner: path, source: source)
        case .collection:
            guard watch(Place(path: path, owner: nil, source: source)) else { return false }
            for name in (try? FileSystem.names(in: path)) ?? [] where name != PluginSource.catalogFolder {
                let entry = FilePath.join(path, name)
                if FileSystem.status(of: entry)?.isFolder == true { addTree(entry, owner: entry) }
            }
            return true
        }
    }

    /// Watches a folder and all below it, following symlinks once; false when there is no such folder.
    @discardableResult
    private mutating func addTree(_ root: String, owner: String, source: PluginSource? = nil) -> Bool {
        guard watch(Place(path: root, owner: owner, source: source)) else { return false }
        owners.insert(owner)
        var visited: Set<String> = []
        var open = [(path: root, level: 0)]
        while let (folder, level) = open.popLast() {
            guard let real = FileSystem.realPath(folder), visited.insert(real).inserted,
                level < FolderListing.deepestLevel, folder == root || watch(Place(path: folder, owner: owner))
            else { continue }
            for name in (try? FileSystem.names(in: folder)) ?? [] where name != "node_modules" {
                let path = FilePath.join(folder, name)
                if FileSystem.status(of: path)?.isFolder == true { open.append((path, level + 1)) }
            }
        }
        return true
    }

    private mutating func watch(_ place: Place) -> Bool {
        let watch = inotify_add_watch(inotify, place.path, Self.mask)
        guard watch >= 0 else {
            if errno == ENOSPC { warnAboutLimit() }
            return false
        }
        places[watch, default: []].insert(place)
        return true
    }

    private mutating func warnAboutLimit() {
        guard !hasWarned else { return }
        hasWarned = true
        findings.warning =
            "the system's limit of watched folders is reached and changes of plugins may go unnoticed; "
            + "raise it: sysctl fs.inotify.max_user_watches=524288"
    }
}
