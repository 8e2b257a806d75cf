// SPDX-License-Identifier: Apache-2.0
internal import CQuarantine
internal import Glibc
internal import Logging
internal import PluginABI
internal import Signing
internal import Synchronization

/// Whether crashes of plugins in the server's own process are survived.
public enum QuarantineMode: Sendable {
    /// They end the server, as they do where a debugger or a core dump is wanted.
    case off
    /// The server begins anew and moves the plugin; what it knows of crashes before is given along.
    case on(CrashRecovery)
}

/// Which plugins are no longer trusted in the server's own process, and why.
///
/// What is in the store survives the server; what could not be stored counts as long as it lives.
final class QuarantineBook: Sendable {
    private struct State {
        var entries: [String: PluginQuarantine] = [:]
        /// Crashes that no plugin is known to have caused are many: nobody stays.
        var trustsNobody = false
        var isArmed = false
    }

    private let mode: QuarantineMode
    private let store: any KeyValueBackend
    private let logger: Logger
    private let state = Mutex(State())

    init(mode: QuarantineMode, store: any KeyValueBackend, logger: Logger) {
        self.mode = mode
        self.store = store
        self.logger = logger
    }

    // MARK: What there is

    /// Reads the store, and adds what the crashes of this process say.
    func load() async {
        await DedicatedThread.run { [self] in
            read()
            if case .on(let recovery) = mode { learn(recovery, at: MonotonicTime.now) }
        }
    }

    private func read() {
        do {
            for id in try store.keys(scope: PluginQuarantine.scope, prefix: "") {
                guard let kept = try store.get(scope: PluginQuarantine.scope, key: id),
                    let entry = PluginQuarantine(encoded: kept.value)
                else { continue }
                state.withLock { $0.entries[id] = entry }
            }
        } catch {
            logger.error("Quarantined plugins cannot be read", metadata: ["error": "\(error)"])
        }
    }

    private func learn(_ recovery: CrashRecovery, at now: Int64) {
        for crash in recovery.crashes where !crash.pluginID.isEmpty {
            let since = Timestamp(milliseconds: crash.wallSeconds &* 1_000)
            // An older crash of this process that was released since is not remembered twice.
            guard crash == recovery.crashes.last else { continue }
            enter(
                crash.pluginID,
                PluginQuarantine(
                    cause: .crash, reason: crash.reason, version: "", since: since, digest: crash.digest))
        }
        guard let last = recovery.crashes.last ?? (recovery.isUnreadable ? .unknown : nil) else { return }
        logger.critical(
            "The server crashed and began anew in the same process",
            metadata: [
                "plugin.id": "\(last.pluginID.isEmpty ? "unknown" : last.pluginID)", "reason": "\(last.reason)",
                "crashes": "\(recovery.crashes.count)", "help": "docs/troubleshooting.md#quarantine",
            ])
        state.withLock { $0.trustsNobody = recovery.trustsNobody(at: now) }
    }

    subscript(id: String) -> PluginQuarantine? { state.withLock { $0.entries[id] } }

    // MARK: Changes

    /// Whether a plugin that may run in the server's process has to run elsewhere.
    ///
    /// A build that is not the one that was quarantined is tried again.
    func holds(_ plugin: ValidatedPlugin) async -> Bool {
        let digest = plugin.image?.digest.hexadecimal ?? ""
        if state.withLock({ $0.trustsNobody }) {
            await add(
                plugin, .unexplainedCrashes,
                "was in the server's process when it crashed \(CrashRecovery.unexplainedLimit) times within ten minutes "
                    + "without a known cause")
            return true
        }
        guard let entry = self[plugin.id] else { return false }
        guard entry.digest != digest else {
            if entry.version.isEmpty { await complete(plugin.id, entry, version: plugin.descriptor.info.version) }
            return true
        }
        logger.notice(
            "Another build of a quarantined plugin is tried in the server's process",
            metadata: ["plugin.id": "\(plugin.id)", "was": "\(entry.reason)"])
        await release(plugin.id)
        return false
    }

    /// The handler of crashes does not know versions.
    private func complete(_ id: String, _ entry: PluginQuarantine, version: String) async {
        var entry = entry
        entry.version = version
        let whole = entry
        await DedicatedThread.run { [self] in enter(id, whole) }
    }

    func add(_ plugin: ValidatedPlugin, _ cause: PluginQuarantine.Cause, _ reason: String) async {
        let entry = PluginQuarantine(
            cause: cause, reason: reason, version: plugin.descriptor.info.version,
            since: Timestamp(nanoseconds: WallTime.now), digest: plugin.image?.digest.hexadecimal ?? "")
        guard self[plugin.id]?.digest != entry.digest else { return }
        await DedicatedThread.run { [self] in enter(plugin.id, entry) }
    }

    private func enter(_ id: String, _ entry: PluginQuarantine) {
        state.withLock { $0.entries[id] = entry }
        do {
            _ = try store.put(scope: PluginQuarantine.scope, key: id, value: entry.encoded, version: nil)
        } catch {
            logger.error(
                "A quarantined plugin is known to this process alone: it could not be stored",
                metadata: ["plugin.id": "\(id)", "error": "\(error)"])
        }
        logger.error(
            "Plugin quarantined: it runs in a process of its own from now on",
            metadata: [
                "plugin.id": "\(id)", "cause": "\(entry.cause.rawValue)", "reason": "\(entry.reason)",
                "help": "docs/troubleshooting.md#quarantine",
            ])
    }

    /// Trusts a plugin again; false when it was not quarantined.
    @discardableResult
    func release(_ id: String) async -> Bool {
        guard state.withLock({ $0.entries.removeValue(forKey: id) }) != nil else { return false }
        await DedicatedThread.run { [store, logger] in
            do {
                try store.remove(scope: PluginQuarantine.scope, key: id)
            } catch {
                logger.error(
                    "A released plugin comes back into quarantine at the next start: the store could not be changed",
                    metadata: ["plugin.id": "\(id)", "error": "\(error)"])
            }
        }
        return true
    }

    // MARK: Suspects

    /// Prepares for a plugin that is about to be loaded into the server's process; nil where crashes are not survived.
    func suspect(_ plugin: ValidatedPlugin) -> SuspectPlugin? {
        guard case .on = mode, arm() else { return nil }
        return SuspectPlugin(id: plugin.id, digest: plugin.image?.digest.hexadecimal ?? "")
    }

    private func arm() -> Bool {
        state.withLock { state in
            if state.isArmed { return true }
            let status = quarantine_arm(CommandLine.unsafeArgv)
            state.isArmed = status == 0
            if status != 0 {
                let reason = status == EBUSY ? "a debugger watches it" : String(cString: strerror(status))
                logger.warning("Crashes of plugins in the server's process end it", metadata: ["reason": "\(reason)"])
            }
            return state.isArmed
        }
    }
}

extension CrashRecovery.Crash {
    /// A crash of which the note is lost.
    fileprivate static let unknown = Self(time: 0, wallSeconds: 0, signal: 0)
}
