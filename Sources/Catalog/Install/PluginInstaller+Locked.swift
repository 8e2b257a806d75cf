// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// What bringing a plugins folder to a lock file did.
public struct LockedOutcome: Sendable, Equatable {
    /// What was put in place, or would have been in a dry run.
    public var installed = InstallOutcome()
    /// The plugins that were removed, or would have been in a dry run, since the lock file does not record them.
    public var removed: [InstalledPlugin] = []
    /// The plugins that are there and not in the lock file.
    public var extra: [InstalledPlugin] = []
}

extension PluginInstaller {
    /// Brings the folder to exactly what a lock file records: versions, files, publishers and pins.
    ///
    /// A plugin that is so already stays as it is; one with the right version and other files is put in place anew. The
    /// lock file counts, not the pins of the folder. Each plugin is switched by itself: a failure leaves those before it.
    ///
    /// - Parameter prunes: Whether plugins that the lock file does not record are removed; links are not.
    /// - Throws: ``CatalogError``, also `.lockFileInvalid` for a plugin that needs one which is not recorded;
    ///   `CancellationError`, and what the observer throws.
    public func install(
        locked lock: PluginLockFile, options: InstallOptions, prunes: Bool, claim: FolderClaim,
        observer: InstallObserver
    ) async throws -> LockedOutcome {
        var options = options
        options.locked = lock.plugins
        (options.allowsDowngrade, options.reinstalls) = (true, true)
        var outcome = LockedOutcome()
        for entry in lock.plugins.values.sorted(by: { $0.id < $1.id }) {
            try Task.checkCancellation()
            let isDone = outcome.installed.plugins.contains { $0.entry.id == entry.id }
            if isDone { continue }
            if try await isInPlace(entry, options) { continue }
            outcome.installed.plugins += try await install(
                .locked(entry), options: options, claim: claim, observer: observer
            ).plugins
        }
        outcome.extra = try folder.installed().filter { lock.plugins[$0.facts.id] == nil }
        guard prunes else { return outcome }
        outcome.removed = outcome.extra.filter { !$0.isLinked }
        outcome.extra.removeAll { !$0.isLinked }
        if !options.isDryRun { try prune(outcome.removed, lock, claim) }
        return outcome
    }

    private func prune(_ plugins: [InstalledPlugin], _ lock: PluginLockFile, _ claim: FolderClaim) throws {
        for plugin in plugins { _ = try PluginChanges(folder: folder).remove(plugin.facts.id, claim: claim) }
        // What is recorded and was gone already is not to be installed by the next one.
        var own = try PluginLockFile(of: folder)
        let kept = own.plugins.filter { lock.plugins[$0.key] != nil }
        guard kept.count < own.plugins.count else { return }
        own.plugins = kept
        try own.save(to: folder)
    }

    /// Whether a plugin is as an entry says, and is still trusted; then it is recorded so.
    private func isInPlace(_ entry: LockedPlugin, _ options: InstallOptions) async throws -> Bool {
        try await Blocking.run { stop in
            guard let present = try folder.installed(entry.id), !present.isLinked,
                present.facts.version == entry.version,
                // A link that somebody put there makes no hash, and another tree.
                try Self.hash(of: present.folder, stop) == entry.treeHash
            else { return false }
            var lock = try PluginLockFile(of: folder)
            let publisher = try stage.judge.judge(folder: present.folder, facts: present.facts)
            let isNewPublisher = lock.publishers[entry.id].map { $0 != publisher.pin } ?? false
            guard publisher.pin == entry.publisher.pin, !isNewPublisher || options.allowsNewPublisher else {
                return false
            }
            let recorded = lock.plugins[entry.id]
            var wanted = entry
            wanted.folder = present.folder.split(separator: "/").last.map(String.init) ?? entry.folder
            wanted.installed = recorded?.installed ?? Date.now.ISO8601Format()
            guard wanted != recorded, !options.isDryRun else { return true }
            lock.plugins[entry.id] = wanted
            lock.publishers[entry.id] = publisher.pin
            try lock.save(to: folder)
            return true
        }
    }

    private static func hash(of folder: String, _ stop: Blocking.StopFlag) throws -> String? {
        do {
            return try TreeHash.of(folder, progress: stop.check)
        } catch let error as CatalogError where error.code == .archiveSpecialFile {
            return nil
        }
    }
}
