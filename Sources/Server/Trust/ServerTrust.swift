// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
public import Logging
import NIOPosix
public import PluginHost
public import Signing
public import Storage
import Synchronization

/// Who may sign plugins on this server: the trust folder, the database that servers share, and Grafana's fetched keys.
///
/// What cannot be read never makes less of what is revoked: the trust stays as it was, and a server that starts without
/// a readable trust takes no signature as valid.
public final class ServerTrust: Sendable {
    /// What the plugin platform judges signatures by.
    public let current = CurrentTrust(
        unreadable: SigningError(.trustStoreMalformed, "the trust was not read yet; wait a moment"))
    /// The trust folder; nil for none.
    let folder: String?
    private let stores: Stores
    private let logger: Logger
    private let turn = Turn()

    /// What the last look found.
    struct Report: Sendable {
        /// What is wrong, for the operator; empty when all is well.
        var problems: [String] = []
        /// The state of the database that was read.
        var version = Version()
    }

    /// Tells one state of the database from another.
    struct Version: Sendable, Equatable {
        /// Of the keys and revocations.
        var revision: Int64 = -1
        /// Of the keys of Grafana's API.
        var fetched = -1
    }

    private let lastReport = Mutex(Report())
    /// The folder when it could be read last, so that a broken file in it keeps no other change from counting.
    private let lastFolder = Mutex<TrustFolderContent?>(nil)

    /// Knows nothing before ``reload()``.
    ///
    /// - Parameter folder: `[plugins] trust_path`; a folder that does not exist is an empty one.
    public init(folder: String?, stores: Stores, logger: Logger) {
        self.folder = folder
        self.stores = stores
        self.logger = logger
    }

    /// What a trust folder alone says, for a command that looks at plugins beside the server.
    public static func current(inFolder folder: String?) -> CurrentTrust {
        do throws(SigningError) {
            return CurrentTrust(try TrustFolderContent(folder, now: StoreClock.system.epochSeconds).store)
        } catch {
            return CurrentTrust(unreadable: error)
        }
    }

    /// Whom a server with this folder and this database trusts, for a command beside it; writes nothing.
    ///
    /// - Returns: The store, and what could not be used.
    /// - Throws: `SigningError` when the server would take no signature as valid; `StorageError`.
    public static func store(folder: String?, stores: Stores) async throws -> (store: TrustStore, problems: [String]) {
        let database = try await stores.pluginTrust.find()
        let fetched = try await PublicKeyStore(store: stores.keyValues, inspect: keyID).keys()
        return try await NIOThreadPool.singleton.runIfActive {
            let now = StoreClock.system.epochSeconds
            let content = try TrustFolderContent(folder, now: now)
            let outcome = try TrustMerge(
                folder: content.store, folderList: content.list, database: database, fetched: fetched, now: now
            ).merged()
            return (outcome.store, outcome.problems)
        }
    }

    /// What the last look found.
    var report: Report { lastReport.withLock { $0 } }

    /// Reads everything again.
    ///
    /// - Returns: whether somebody is trusted otherwise than before.
    @discardableResult
    public func reload() async -> Bool {
        await turn.take { await reloadNow() }
    }

    private func reloadNow() async -> Bool {
        do {
            let version = try await version()
            let database = try await stores.pluginTrust.find()
            let fetched = try await fetchedKeys.keys()
            let outcome = try await NIOThreadPool.singleton.runIfActive { [self] in try read(database, fetched) }
            note(outcome.problems, version)
            let isChanged = current.replace(with: outcome.store)
            if let list = outcome.newList { await share(list) }
            if isChanged {
                logger.info(
                    "Trust in plugin signatures read",
                    metadata: [
                        "keys": "\(outcome.store.keys.map(\.key.keyID).joined(separator: " "))",
                        "revocations": "\(outcome.store.revocations.serial)",
                    ])
            }
            return isChanged
        } catch {
            let reason = error as? SigningError ?? SigningError(.trustStoreMalformed, "\(error)")
            note([reason.message], nil)
            current.fail(reason)
            return false
        }
    }

    /// Blocks while it reads files.
    private func read(_ database: PluginTrust, _ fetched: [String: String]) throws -> TrustMerge.Outcome {
        let now = StoreClock.system.epochSeconds
        var problem: String?
        let content: TrustFolderContent
        do throws(SigningError) {
            content = try TrustFolderContent(folder, now: now)
        } catch {
            guard let last = lastFolder.withLock({ $0 }) else { throw error }
            content = last
            problem = "the trust folder counts as it was before its last change: \(error.message)"
        }
        lastFolder.withLock { $0 = content }
        let merge = TrustMerge(
            folder: content.store, folderList: content.list, database: database, fetched: fetched, now: now)
        var outcome = try merge.merged()
        if let problem { outcome.problems.insert(problem, at: 0) }
        return outcome
    }

    /// The state of the database now.
    func version() async throws -> Version {
        Version(
            revision: try await stores.pluginTrust.revision(), fetched: try await fetchedKeys.version())
    }

    /// The keys that ``PublicKeyRetrieval`` keeps in the database.
    private var fetchedKeys: PublicKeyStore {
        PublicKeyStore(store: stores.keyValues, inspect: ServerTrust.keyID)
    }

    /// The key id of an armored public key that may verify signatures; nil for any other text.
    @Sendable public static func keyID(of armored: String) -> String? {
        (try? PublicKey(parsing: Array(armored.utf8)))?.keyID
    }

    /// Grafana's own key, as its API would give it: key id → armored key.
    public static var builtInKeys: [String: String] {
        guard let key = try? TrustStore.builtIn().keys.first?.key, let text = try? key.armored() else { return [:] }
        return [key.keyID: text]
    }

    /// Puts a list that came by file where the other servers find it, and where nobody can roll it back by a file.
    private func share(_ list: PluginRevocations) async {
        do {
            try await stores.pluginTrust.setRevocations(list)
            logger.notice(
                "List of revocations taken over from the trust folder", metadata: ["serial": "\(list.serial)"])
        } catch let error as StorageError where error.code == .versionMismatch {
            // Another server was faster with a newer one, which the next look finds.
        } catch {
            logger.error("List of revocations not stored", metadata: ["error": "\(error)"])
        }
    }

    private func note(_ problems: [String], _ version: Version?) {
        let isNew = lastReport.withLock { report in
            defer {
                report.problems = problems
                if let version { report.version = version }
            }
            return report.problems != problems
        }
        guard isNew else { return }
        for problem in problems {
            logger.error(
                "Trust in plugin signatures is not as it should be",
                metadata: ["reason": "\(problem)", "help": "docs/troubleshooting.md#signature-invalid"])
        }
    }
}

/// What a trust folder says.
struct TrustFolderContent: Sendable {
    var store: TrustStore
    /// The list of revocations as it is in the folder; nil when there is none.
    var list: [UInt8]?

    /// - Parameter folder: nil for none: Grafana's own key is trusted then, and nobody else.
    init(_ folder: String?, now: Int64) throws(SigningError) {
        guard let folder else {
            store = try .builtIn()
            return
        }
        store = try TrustFolder(folder).load(now: now)
        if store.revocations.serial > 0 { list = try Self.bytes(of: "\(folder)/\(RevocationList.fileName)") }
    }

    private static func bytes(of path: String) throws(SigningError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            throw SigningError(.fileUnreadable, "'\(path)' cannot be opened: errno \(errno); let the server read it")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(file, &part, part.count)
            guard count >= 0 else { throw SigningError(.fileUnreadable, "'\(path)' cannot be read: errno \(errno)") }
            guard count > 0 else { return bytes }
            bytes += part[..<count]
            guard bytes.count <= RevocationList.maximumBytes else {
                throw SigningError(.fileUnreadable, "'\(path)' has more than \(RevocationList.maximumBytes) bytes")
            }
        }
    }
}

extension StoreClock {
    /// Seconds since 1970.
    var epochSeconds: Int64 { Int64(now().timeIntervalSince1970) }
}
