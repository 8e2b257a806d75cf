// SPDX-License-Identifier: Apache-2.0
public import Logging
import PluginABI
public import Storage

/// The running server, as the administration of its plugins needs it.
public protocol PluginRuntimeLink: Sendable {
    /// Loads what is in a plugin's folder now.
    ///
    /// - Throws: ``CatalogError`` `.serverRefused` with the server's own words when it does not run.
    func pickUp(_ plugin: InstalledPlugin) async throws
    /// Looks at all folders again, after something was undone or removed.
    func lookAgain() async
    /// Whether a plugin runs that is not in the plugins folder.
    func isElsewhere(_ id: String) -> Bool
}

/// Installs and removes the plugins of a running server, one change at a time, and lets all servers that share its database
/// converge to the same plugins.
public struct PluginAdministration: Sendable {
    let configuration: CatalogConfiguration
    let desired: DesiredPluginStore
    let link: any PluginRuntimeLink
    let preinstalled: PreinstallList
    let logger: Logger
    private let turn = OneAtATime()

    /// - Parameter desired: What all servers of the database should have.
    public init(
        configuration: CatalogConfiguration, desired: DesiredPluginStore, link: any PluginRuntimeLink,
        preinstalled: PreinstallList, logger: Logger
    ) {
        self.configuration = configuration
        self.desired = desired
        self.link = link
        self.preinstalled = preinstalled
        self.logger = logger
    }

    /// Installs a plugin here, and has the other servers follow.
    ///
    /// - Parameters:
    ///   - version: Nil for the newest.
    ///   - consent: What an update may bring; a first installation is consent to the permissions that it needs.
    /// - Throws: ``CatalogError``, or what the database throws; nothing has changed then.
    public func install(
        _ id: String, version: String?, consent: InstallConsent = InstallConsent(),
        event: @escaping @Sendable (InstallEvent) -> Void
    ) async throws -> InstallOutcome {
        if let entry = preinstalled[id], entry.isPinned {
            throw CatalogError(
                .versionPinned, "plugin '\(id)': [plugins] preinstall pins its version",
                remedy: "change the setting and start the server again")
        }
        var allowed = InstallOptions()
        (allowed.allowsNewPublisher, allowed.allowsDowngrade) = (consent.acceptsPublisher, consent.allowsDowngrade)
        let options = allowed
        return try await turn.take {
            do {
                return try await put(
                    .plugin(id: id, version: version), options, remembers: true, event: event,
                    approve: { !$0.isUpdate || $0.wanted.allSatisfy(consent.permissions.contains) })
            } catch let error as CatalogError where error.code == .alreadyInstalled {
                // It may be here alone, because the database could not be written the last time.
                try await remember(id)
                throw error
            }
        }
    }

    /// Removes a plugin here, and has the other servers follow.
    ///
    /// - Throws: ``CatalogError``: `.corePlugin`, `.versionPinned` for a preinstalled one, `.notInstalled`,
    ///   `.serverRefused` for one outside of the plugins folder.
    public func uninstall(_ id: String) async throws {
        guard !configuration.coreIDs.contains(id) else {
            throw CatalogError(.corePlugin, "Cannot uninstall a Core plugin")
        }
        guard preinstalled[id] == nil else {
            throw CatalogError(
                .versionPinned, "plugin '\(id)': [plugins] preinstall has it",
                remedy: "take it out of the setting and start the server again")
        }
        try await turn.take {
            guard try configuration.folder.installed(id) != nil else {
                if link.isElsewhere(id) {
                    throw CatalogError(
                        .serverRefused, "plugin '\(id)': it is not in the plugins folder, so it is not removed here")
                }
                throw CatalogError(.notInstalled, "Plugin not installed")
            }
            let entry = try PluginLockFile(of: configuration.folder).plugins[id]
            let claim = try FolderClaim(configuration.folder)
            // First what all follow: if this server fails on the way, it follows too.
            let revision = try await desired.set(id, isPresent: false, version: entry?.version ?? "", entry: "")
            _ = try PluginChanges(folder: configuration.folder).remove(id, claim: claim)
            await link.lookAgain()
            try note(id, revision)
        }
    }

    /// Has the other servers follow what is installed here.
    private func remember(_ id: String) async throws {
        guard let entry = try PluginLockFile(of: configuration.folder).plugins[id] else { return }
        let row = try await desired.list().first { $0.pluginID == id }
        guard row?.isPresent != true || row?.version != entry.version else { return }
        let revision = try await desired.set(
            entry.id, isPresent: true, version: entry.version, entry: entry.json.encoded())
        try note(entry.id, revision)
    }

    private func note(_ id: String, _ revision: Int64) throws {
        var applied = try AppliedRevisions(folder: configuration.folder)
        try applied.note(id, revision)
    }

    /// Puts a plugin in place and lets the server load it.
    ///
    /// - Parameters:
    ///   - loads: False before the server has loaded anything.
    ///   - remembers: Whether the other servers are to follow.
    ///   - approve: By default a first installation is consent to its permissions, and an update is not.
    private func put(
        _ subject: InstallSubject, _ options: InstallOptions, loads: Bool = true, remembers: Bool = false,
        event: @escaping @Sendable (InstallEvent) -> Void = { _ in },
        approve: @escaping @Sendable (PermissionQuestion) -> Bool = { !$0.isUpdate }
    ) async throws -> InstallOutcome {
        let claim = try FolderClaim(configuration.folder)
        let observer = InstallObserver(
            event: event, approve: { approve($0) },
            confirm: { plugin in
                if loads { try await link.pickUp(plugin) }
                if remembers { try await remember(plugin.facts.id) }
            })
        do {
            return try await CatalogSession.with(configuration) { session in
                try await session.installer.install(subject, options: options, claim: claim, observer: observer)
            }
        } catch {
            // What was undone is loaded again.
            if loads { await link.lookAgain() }
            throw error
        }
    }

    // MARK: Convergence

    /// Brings this server to what the database says; what fails is logged and tried again the next time.
    ///
    /// Each change in the database is carried out once on each plugins folder, so that what an operator does to one folder
    /// afterwards stays, also that he removes a plugin. A folder that is new, or was lost, gets them all.
    public func converge() async throws {
        guard try await !desired.list().isEmpty else { return }
        try await turn.take {
            // Read within the turn, after the wait for an installation that may have changed them, and after what was
            // applied: another server of the same folder may be quicker.
            var applied = try AppliedRevisions(folder: configuration.folder)
            for row in try await desired.list() {
                // Not only a higher one: a database that was made anew counts from 1 again.
                let isNew = applied.revisions[row.pluginID] != row.revision
                let present = try configuration.folder.installed(row.pluginID)
                do {
                    if row.isPresent, isNew, present?.facts.version != row.version {
                        try await follow(row)
                    } else if !row.isPresent, isNew, present != nil {
                        _ = try PluginChanges(folder: configuration.folder).remove(
                            row.pluginID, claim: FolderClaim(configuration.folder))
                        await link.lookAgain()
                        logger.info(
                            "Plugin removed as on the other servers", metadata: ["plugin.id": "\(row.pluginID)"])
                    }
                    if isNew { try applied.note(row.pluginID, row.revision) }
                    await turn.forget(row.pluginID)
                } catch let error as CatalogError {
                    // It is tried again every few seconds; the log has each reason once.
                    guard await turn.isNews(error.description, about: row.pluginID) else { continue }
                    logger.warning(
                        "Plugin differs from the other servers",
                        metadata: [
                            "plugin.id": "\(row.pluginID)", "code": "\(error.code.rawValue)", "reason": "\(error)",
                        ])
                }
            }
        }
    }

    private func follow(_ row: DesiredPlugin) async throws {
        guard let json = try? JSONText.parsed(row.entry), let entry = LockedPlugin(id: row.pluginID, json: json) else {
            throw CatalogError(
                .lockFileInvalid,
                "plugin '\(row.pluginID)': what the database says about it is damaged; install it again")
        }
        var options = InstallOptions()
        // The decision was made where it was installed first, with its guards.
        (options.allowsDowngrade, options.allowsNewPublisher) = (true, true)
        _ = try await put(.locked(entry), options)
        logger.info(
            "Plugin installed as on the other servers",
            metadata: ["plugin.id": "\(entry.id)", "plugin.version": "\(entry.version)"])
    }

    // MARK: Preinstall

    /// Installs what the settings want before the server serves.
    ///
    /// - Throws: ``CatalogError`` for the first that fails.
    public func preinstallBlocking() async throws {
        for plugin in preinstalled.asByHand { try await installAsByHand(plugin) }
        for plugin in preinstalled.blocking { try await preinstall(plugin, loads: false) }
    }

    /// As `grafana-cli plugins install`, which takes the newest version unless one is named.
    private func installAsByHand(_ plugin: PreinstalledPlugin) async throws {
        logger.info("Installing plugin", metadata: Self.facts(plugin))
        var allowed = InstallOptions()
        allowed.allowsDowngrade = plugin.isPinned
        let options = allowed
        do {
            _ = try await turn.take {
                try await put(plugin.subject, options, loads: false, approve: { !$0.isUpdate || plugin.isPinned })
            }
        } catch let error as CatalogError where error.code == .alreadyInstalled {
            return
        }
    }

    private static func facts(_ plugin: PreinstalledPlugin) -> Logger.Metadata {
        ["plugin.id": "\(plugin.id)", "plugin.version": "\(plugin.version ?? "newest")"]
    }

    /// Installs what the settings want while the server serves; what fails is logged.
    public func preinstallInBackground() async {
        for plugin in preinstalled.inBackground {
            do {
                try await preinstall(plugin, loads: true)
            } catch {
                logger.error(
                    "Failed to install plugin", metadata: ["plugin.id": "\(plugin.id)", "reason": "\(error)"])
            }
        }
    }

    private func preinstall(_ plugin: PreinstalledPlugin, loads: Bool) async throws {
        let present = try configuration.folder.installed(plugin.id)
        if configuration.coreIDs.contains(plugin.id)
            || present.map({ plugin.isPinned && $0.facts.version == plugin.version }) == true
        {
            return
        }
        if present != nil, !plugin.isPinned, !preinstalled.updates { return }
        if present != nil, plugin.version == nil, plugin.url != nil { return }
        logger.info("Installing plugin", metadata: Self.facts(plugin))
        var allowed = InstallOptions()
        allowed.allowsDowngrade = plugin.isPinned
        let options = allowed
        do {
            _ = try await turn.take {
                // Who names a version agrees to what it asks for; the newest one is nobody's choice.
                try await put(plugin.subject, options, loads: loads, approve: { !$0.isUpdate || plugin.isPinned })
            }
        } catch let error as CatalogError where error.code == .alreadyInstalled {
            return
        } catch let error as CatalogError where present != nil && !plugin.isPinned {
            // An update that fails does not take the plugin away.
            logger.warning("Plugin not updated", metadata: ["plugin.id": "\(plugin.id)", "reason": "\(error)"])
        }
    }
}

/// Lets one task at a time change plugins, and remembers what the log was told.
private actor OneAtATime {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// Why a plugin could not follow, by its id.
    private var reasons: [String: String] = [:]

    func isNews(_ reason: String, about id: String) -> Bool { reasons.updateValue(reason, forKey: id) != reason }

    func forget(_ id: String) { reasons[id] = nil }

    func take<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        if isTaken {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            isTaken = true
        }
        defer { if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() } }
        return try await body()
    }
}
