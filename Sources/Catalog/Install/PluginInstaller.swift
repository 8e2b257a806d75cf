// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// Installs plugins into a plugins folder: resolve, fetch, unpack, check, judge, ask, switch, confirm.
///
/// Nothing that the loader sees changes before the switch. A failure at any point, a cancelled task and a killed process
/// leave the old version; see ``FolderClaim`` for what the last one leaves behind.
public struct PluginInstaller: Sendable {
    /// The folder.
    public let folder: PluginsFolder
    /// The catalogues.
    public let sources: PackageSources
    let stage: PackageStage
    /// Plugins that are part of the server.
    let coreIDs: Set<String>

    /// Installs a plugin and those that it needs.
    ///
    /// - Parameter observer: `confirm` is asked after each switch; when it throws, all switches are undone.
    /// - Throws: ``CatalogError``, `CancellationError`, and what the observer throws.
    public func install(
        _ subject: InstallSubject, options: InstallOptions, claim: FolderClaim, observer: InstallObserver
    ) async throws -> InstallOutcome {
        let guards = InstallGuards(
            options: options, lock: try PluginLockFile(of: folder), coreIDs: coreIDs, judge: stage.judge)
        var staged: [StagedPackage] = []
        do {
            var seen: Set<String> = []
            try await gather(subject, guards, claim, observer, into: &staged, seen: &seen)
            for package in staged { try await ask(package, guards, observer) }
            let outcome = try await put(staged, guards, options, claim, observer)
            clear(claim)
            return outcome
        } catch {
            clear(claim)
            throw error
        }
    }

    /// Clears the staging away; the next claim does it again if this fails.
    private func clear(_ claim: FolderClaim) { try? FileTree.remove(claim.folder.staging) }

    /// Stages a package after those that it needs.
    private func gather(
        _ subject: InstallSubject, _ guards: InstallGuards, _ claim: FolderClaim, _ observer: InstallObserver,
        into staged: inout [StagedPackage], seen: inout Set<String>
    ) async throws {
        let offer = try await offer(subject, guards)
        if let id = offer.id, let version = offer.version {
            observer.event(.resolved(id: id, version: version, source: offer.source.location))
        }
        let place = try claim.makeStaging()
        let package = try await stage.stage(offer, subject: subject, in: place, events: observer.event)
        try Task.checkCancellation()
        let id = package.facts.id
        try guards.check(package, present: try folder.installed(id))
        if case .locked(let entry) = subject { try checkLocked(package, entry) }
        seen.insert(id)
        for dependency in package.facts.dependencies where !seen.contains(dependency) && !coreIDs.contains(dependency) {
            guard try folder.installed(dependency) == nil else { continue }
            let needed = try Self.needed(dependency, by: id, guards.options)
            observer.event(.dependency(id: dependency, of: id))
            try await gather(needed, guards, claim, observer, into: &staged, seen: &seen)
        }
        staged.append(package)
    }

    private static func needed(_ id: String, by parent: String, _ options: InstallOptions) throws -> InstallSubject {
        guard !options.locked.isEmpty else { return .plugin(id: id, version: nil) }
        guard let entry = options.locked[id] else {
            throw CatalogError(
                .lockFileInvalid,
                "plugin '\(parent)': it needs '\(id)', which the lock file does not record; install that where the lock was "
                    + "made, and take the new lock")
        }
        return .locked(entry)
    }

    private func offer(_ subject: InstallSubject, _ guards: InstallGuards) async throws -> Offer {
        switch subject {
        case .plugin(let id, let version):
            try guards.checkID(id, version: SemanticVersion.requested(version), present: try folder.installed(id))
            let offer = try await sources.offer(id, version: version)
            try guards.checkID(id, version: offer.version, present: try folder.installed(id))
            return offer
        case .package(let place, let hash, let id, let version):
            var offer = Self.offer(place: place, hash: hash)
            (offer.id, offer.version) = (id, SemanticVersion.requested(version))
            return offer
        case .locked(let entry):
            let present = try folder.installed(entry.id)
            try guards.checkID(entry.id, version: entry.version, present: present)
            guard entry.source.kind == "grafana" || entry.source.kind == "catalog" else {
                var offer = Self.offer(place: entry.source.location, hash: entry.archiveHash)
                offer.id = entry.id
                offer.version = entry.version
                return offer
            }
            var offer = try await sources.recorded(entry)
            offer.hash = entry.archiveHash ?? offer.hash
            return offer
        }
    }

    private static func offer(place: String, hash: String?) -> Offer {
        guard let path = WebAddress.localPath(place) else {
            return Offer(
                place: .web(place), hash: hash, source: .init(kind: "url", location: WebAddress.withoutSecrets(place)))
        }
        var full = path
        if !full.hasPrefix("/") { full = FileManager.default.currentDirectoryPath + "/" + full }
        if FileTree.kind(of: full) == .folder {
            return Offer(place: .folder(full), hash: hash, source: .init(kind: "folder", location: full))
        }
        return Offer(place: .file(full), hash: hash, source: .init(kind: "file", location: full))
    }

    private func checkLocked(_ package: StagedPackage, _ entry: LockedPlugin) throws {
        guard package.treeHash == entry.treeHash, package.publisher.pin == entry.publisher.pin else {
            throw CatalogError(
                .checksumMismatch,
                "plugin '\(entry.id)': version \(entry.version) is not the one that plugins.lock.json records (its files or "
                    + "its publisher differ); find out who changed it, or update the lock where it was made")
        }
    }

    private func ask(_ package: StagedPackage, _ guards: InstallGuards, _ observer: InstallObserver) async throws {
        let present = try folder.installed(package.facts.id)
        guard let question = guards.question(package, present: present) else { return }
        if case .locked(let entry) = package.subject, question.wanted.allSatisfy(entry.permissions.contains) { return }
        observer.event(.asking(question))
        guard try await observer.approve(question) else {
            throw CatalogError(
                .permissionsRefused,
                "plugin '\(question.id)': it asks for \(question.wanted.joined(separator: ", ")), and nobody agreed; say yes "
                    + "on a terminal, or give --yes")
        }
    }

    private func put(
        _ staged: [StagedPackage], _ guards: InstallGuards, _ options: InstallOptions, _ claim: FolderClaim,
        _ observer: InstallObserver
    ) async throws -> InstallOutcome {
        var outcome = InstallOutcome()
        /// Where the versions that were kept before wait until nothing can fail any more.
        var spares: [String: String] = [:]
        do {
            for package in staged {
                try Task.checkCancellation()
                let present = try folder.installed(package.facts.id)
                let entry = try entry(for: package, present: present, guards)
                let plugin = InstallOutcome.Plugin(entry: entry, before: present?.facts.version)
                if options.isDryRun {
                    outcome.plugins.append(plugin)
                    continue
                }
                let old = try present.map { try record(of: $0, guards) }
                let spare = "\(try claim.makeStaging())/kept"
                spares[entry.id] = spare
                try Switch(folder: folder).install(package.tree, as: entry, replacing: old, sparing: spare)
                outcome.plugins.append(plugin)
                guard let now = try folder.installed(entry.id) else { continue }
                try await observer.confirm(now)
                observer.event(
                    .installed(id: entry.id, version: entry.version, folder: now.folder, before: plugin.before))
            }
        } catch {
            if !options.isDryRun {
                makeRoom(staged, outcome)
                try undo(outcome, guards, claim, spares: spares)
            }
            throw error
        }
        return outcome
    }

    /// Removes the packages that were not switched: on a full disk the undo needs a little room for its journal.
    private func makeRoom(_ staged: [StagedPackage], _ outcome: InstallOutcome) {
        // With a journal a switch is not finished, and the old version may be in the place of the new one.
        guard !outcome.plugins.isEmpty, FileTree.kind(of: folder.journal) == nil else { return }
        let switched = Set(outcome.plugins.map(\.entry.id))
        for package in staged where !switched.contains(package.facts.id) { try? FileTree.remove(package.tree) }
    }

    /// Takes back what was switched, the last first.
    private func undo(
        _ outcome: InstallOutcome, _ guards: InstallGuards, _ claim: FolderClaim, spares: [String: String]
    ) throws {
        for plugin in outcome.plugins.reversed() {
            let entry = plugin.entry
            if plugin.before == nil {
                let way = try claim.makeStaging()
                try Switch(folder: folder).remove(
                    id: entry.id, target: "\(folder.path)/\(entry.folder)", staged: "\(way)/removed")
            } else if let kept = try PluginChanges(folder: folder).kept(entry.id) {
                try Switch(folder: folder).rollBack(from: entry, to: kept)
                try FileTree.remove(folder.kept(entry.id))
                if let spare = spares[entry.id], FileTree.kind(of: spare) == .folder {
                    try FileTree.move(spare, to: folder.kept(entry.id))
                }
            }
            // The publisher of a plugin that never ran here is not remembered.
            var lock = try PluginLockFile(of: folder)
            lock.publishers[entry.id] = guards.lock.publishers[entry.id]
            lock.plugins[entry.id] = guards.lock.plugins[entry.id]
            try lock.save(to: folder)
        }
    }

    private func entry(
        for package: StagedPackage, present: InstalledPlugin?, _ guards: InstallGuards
    ) throws -> LockedPlugin {
        let id = package.facts.id
        let name = present?.folder.split(separator: "/").last.map(String.init) ?? id
        let target = "\(folder.path)/\(name)"
        if present == nil, FileTree.kind(of: target) != nil {
            throw CatalogError(
                .folderFailed,
                "'\(target)': something else is there, without the plugin.json of '\(id)'; move it away")
        }
        var isPinned = guards.lock.plugins[id]?.isPinned ?? false
        if case .locked(let locked) = package.subject { isPinned = locked.isPinned }
        return LockedPlugin(
            id: id, version: package.facts.version, folder: name, archiveHash: package.archiveHash,
            treeHash: package.treeHash, publisher: package.publisher, source: package.source,
            permissions: package.facts.permissions, isPinned: isPinned, installed: Date.now.ISO8601Format())
    }

    /// The entry of what is there, also for a plugin that somebody copied into the folder.
    private func record(of present: InstalledPlugin, _ guards: InstallGuards) throws -> LockedPlugin {
        if let entry = guards.lock.plugins[present.facts.id], entry.version == present.facts.version { return entry }
        var entry = try PluginChanges(folder: folder).unrecorded(present)
        // One that is not trusted any more counts as unsigned; it may be replaced.
        if let publisher = try? stage.judge.judge(folder: present.folder, facts: present.facts) {
            entry.publisher = publisher
        }
        return entry
    }
}
