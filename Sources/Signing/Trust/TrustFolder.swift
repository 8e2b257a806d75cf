// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A trust folder on disk: reads it as a ``TrustStore`` and changes its files one at a time, each at once.
///
/// The highest serial of a revocation list that was seen is kept in a file of its own, so that an old list put back is
/// noticed. By default it is in the folder; a server with a read-only configuration keeps it elsewhere.
public struct TrustFolder: Sendable {
    /// The folder.
    public let path: String
    /// The file with the highest serial.
    public let serialPath: String

    /// Names a folder that need not exist yet.
    public init(_ path: String, serialPath: String? = nil) {
        self.path = path
        self.serialPath = serialPath ?? "\(path)/revocations.serial"
    }

    /// Reads the store; writes nothing.
    ///
    /// - Parameter now: Seconds since 1970.
    public func load(now: Int64) throws(SigningError) -> TrustStore {
        try TrustStore(folder: path, minimumSerial: seenSerial(), now: now)
    }

    /// The highest serial that was seen; 0 when none was.
    public func seenSerial() throws(SigningError) -> Int64 {
        guard FileAccess.exists(serialPath) else { return 0 }
        let bytes = try FileAccess.bytes(of: serialPath, limit: 64)
        let text = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
        guard let serial = Int64(text), serial >= 0 else {
            throw SigningError(
                .trustStoreMalformed, "\(serialPath) has no number; write the serial of the newest list that was seen")
        }
        return serial
    }

    /// Remembers that a revocation list was seen; the number never falls.
    public func remember(_ list: RevocationList) throws(SigningError) {
        guard list.serial > (try seenSerial()) else { return }
        try FileAccess.replace(serialPath, with: Array("\(list.serial)\n".utf8))
    }

    /// Does what no other program may do with the folder at the same time; makes the folder if need be.
    ///
    /// - Throws: ``SigningError`` `.trustFolderBusy` when another program is at it, and what `body` throws.
    public func exclusively<Value>(_ body: () throws -> Value) throws -> Value {
        try makeFolder()
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw SigningError(.fileUnreadable, "'\(path)' cannot be opened: \(FileAccess.reason(errno))")
        }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw SigningError(.trustFolderBusy, "'\(path)' is being changed by another program; try again")
        }
        // A killed process loses the lock with its descriptor. Closing alone would leave it to a child process that is
        // just being started and still has a copy.
        defer { flock(descriptor, LOCK_UN) }
        return try body()
    }

    /// Adds a key, or replaces the policy of one that is there.
    ///
    /// Of the old policy stays what no option says: from which key it was rotated, and a name for the owner that is not
    /// the key's own.
    ///
    /// - Parameter name: The name of its files without extension; nil: that of the files that are there, or the key id.
    /// - Returns: The key as it is trusted now.
    public func add(_ key: TrustedKey, name: String? = nil, now: Int64) throws(SigningError) -> TrustedKey {
        try makeFolder()
        let name = try files(of: key.key.fingerprint) ?? name ?? key.key.keyID
        guard !name.isEmpty, !name.hasPrefix("."), !name.utf8.contains(0x2F) else {
            throw SigningError(.trustStoreMalformed, "'\(name)' is no file name; give another one")
        }
        var added = key
        added.grantedBy = "\(path)/\(name).json"
        let known = try TrustStore(keysOf: path)
        if let before = known.keys.first(where: { $0.key.fingerprint == key.key.fingerprint }) {
            added.rotatedFrom = added.rotatedFrom ?? before.rotatedFrom
            if added.owner == key.key.owner { added.owner = before.owner }
        }
        // What is written is what will be read.
        let policy = TrustPolicy(added)
        do throws(FormatError) {
            _ = try TrustPolicy(StrictJSON(parsing: Array(policy.text.utf8)))
        } catch {
            throw SigningError(.trustStoreMalformed, "the policy of '\(name)': \(error.message); correct it")
        }
        let others = known.keys.filter { $0.key.fingerprint != key.key.fingerprint }
        try checkRevocations(known, TrustStore(keys: others + [added]), now: now)
        // The policy first: a key without one is an error, a policy without its key too, but never is there a key that
        // may sign more than it should.
        try FileAccess.replace("\(path)/\(name).json", with: Array(policy.text.utf8))
        if key.key.fingerprint != GrafanaKey.fingerprint {
            try FileAccess.replace("\(path)/\(name).asc", with: Array(try key.key.armored().utf8))
        }
        return added
    }

    /// Trusts a key no longer.
    ///
    /// Grafana's built-in key stays, with a policy that lets it sign nothing.
    ///
    /// - Returns: The key that was trusted, or nil when no key has the id or fingerprint.
    public func remove(_ id: String, now: Int64) throws(SigningError) -> TrustedKey? {
        let store = try TrustStore(keysOf: path)
        guard let key = store.key(id: id) else { return nil }
        if key.key.fingerprint == GrafanaKey.fingerprint {
            var none = key
            none.plugins = []
            none.types = []
            none.level = .process
            return try add(none, name: "grafana", now: now)
        }
        let others = store.keys.filter { $0.key.fingerprint != key.key.fingerprint }
        try checkRevocations(store, TrustStore(keys: others), now: now)
        if let name = try files(of: key.key.fingerprint) {
            for file in ["\(path)/\(name).asc", "\(path)/\(name).json"] where unlink(file) != 0 && errno != ENOENT {
                throw SigningError(
                    .fileUnwritable, "'\(file)' cannot be removed: \(FileAccess.reason(errno)); remove it by hand")
            }
        }
        return key
    }

    /// Refuses a change of keys after which the list of revocations in force would verify no longer, and with it nothing.
    ///
    /// A list that does not verify now keeps nobody from mending that.
    private func checkRevocations(_ present: TrustStore, _ future: TrustStore, now: Int64) throws(SigningError) {
        let file = "\(path)/\(RevocationList.fileName)"
        guard FileAccess.exists(file) else { return }
        let bytes = try FileAccess.bytes(of: file, limit: RevocationList.maximumBytes)
        let serial = try seenSerial()
        guard let list = try? present.openRevocations(bytes, minimumSerial: serial, now: now) else { return }
        do throws(SigningError) {
            _ = try future.openRevocations(bytes, minimumSerial: serial, now: now)
        } catch {
            throw SigningError(
                .statementUntrusted,
                "the key \(list.signedBy) signed the list of revocations \(list.serial), which would not count any more; put "
                    + "a newer list by another key in force first, or keep its right with --may-revoke")
        }
    }

    /// Takes over a revocation list after verifying it, and remembers its serial.
    ///
    /// - Throws: ``SigningError`` `.revocationsRolledBack` also for another list with the serial of the one in force.
    public func install(revocations bytes: [UInt8], now: Int64) throws(SigningError) -> RevocationList {
        // The list in force judges the signer too: a revoked key cannot take its revocation back.
        let store = try load(now: now)
        let list = try store.openRevocations(bytes, minimumSerial: seenSerial(), now: now)
        guard list.serial > store.revocations.serial || list == store.revocations else {
            throw SigningError(
                .revocationsRolledBack,
                "its serial is \(list.serial), which another list in force has; sign it with a higher one")
        }
        try makeFolder()
        try FileAccess.replace("\(path)/\(RevocationList.fileName)", with: bytes)
        try remember(list)
        return list
    }

    /// The name of the files of a key, without extension.
    private func files(of fingerprint: String) throws(SigningError) -> String? {
        guard FileAccess.exists(path) else { return nil }
        for name in try FileAccess.names(in: path) where name.hasSuffix(".json") {
            if try TrustPolicy(file: "\(path)/\(name)").fingerprint == fingerprint { return String(name.dropLast(5)) }
        }
        return nil
    }

    private func makeFolder() throws(SigningError) {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw SigningError(.fileUnwritable, "'\(path)' cannot be made: \(FileAccess.reason(errno)); make it first")
        }
    }
}
