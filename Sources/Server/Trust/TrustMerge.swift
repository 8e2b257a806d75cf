// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Signing
import Storage

/// Makes one trust store of what the folder, the database and Grafana's API say.
///
/// The folder is nearest to the machine: where it knows a key, its grants count. Of the lists of revocations the one with
/// the highest serial counts, wherever it is.
struct TrustMerge {
    var folder: TrustStore
    /// `revocations.txt` of the folder, as it is; nil when there is none.
    var folderList: [UInt8]?
    var database: PluginTrust
    /// Key id → armored key, as Grafana's API gave them; empty before the first answer.
    var fetched: [String: String] = [:]
    /// Seconds since 1970.
    var now: Int64

    /// What came out.
    struct Outcome {
        var store: TrustStore
        /// What could not be used, and why, for the operator.
        var problems: [String] = []
        /// A list that the folder has and the database does not: the other servers need it too.
        var newList: PluginRevocations?
    }

    static let fetchedGrant = "Grafana's API"

    /// - Throws: `SigningError` when the list of revocations in the database does not verify: nothing that it revokes may
    ///   come back because the key that signed it is gone.
    func merged() throws -> Outcome {
        var outcome = Outcome(store: TrustStore.empty)
        var keys = folder.keys
        addStored(to: &keys, &outcome.problems)
        addFetched(to: &keys, &outcome.problems)
        outcome.store = try TrustStore(keys: keys)
        if let stored = database.revocations {
            do throws(SigningError) {
                outcome.store.revocations = try outcome.store.openRevocations(
                    Array(stored.content.utf8), minimumSerial: stored.serial, now: now)
            } catch {
                throw SigningError(
                    error.code,
                    "the list of revocations \(stored.serial) in the database does not verify: \(error.message); trust its "
                        + "key again, or add a newer list by a key that is trusted")
            }
        }
        takeFolderList(&outcome)
        return outcome
    }

    private func addStored(to keys: inout [TrustedKey], _ problems: inout [String]) {
        for row in database.keys {
            do {
                let key = try StoredTrustKey(row).trusted
                // Grafana's built-in key gives way to what is said about it; a key of the folder does not.
                if let place = keys.firstIndex(where: { $0.key.fingerprint == row.fingerprint }) {
                    if keys[place].isBuiltIn { keys[place] = key }
                    continue
                }
                try add(key, to: &keys)
            } catch {
                problems.append("the key \(row.fingerprint) in the database is not used: \(Self.text(of: error))")
            }
        }
    }

    /// The keys of Grafana's API take the place of the built-in one, with the grants that Grafana has here.
    private func addFetched(to keys: inout [TrustedKey], _ problems: inout [String]) {
        guard !fetched.isEmpty, let grafana = try? TrustStore.builtIn().keys.first else { return }
        let granted = keys.first { $0.key.fingerprint == grafana.key.fingerprint } ?? grafana
        keys.removeAll { $0.isBuiltIn && fetched[$0.key.keyID] == nil }
        for (id, text) in fetched.sorted(by: { $0.key < $1.key }) where !keys.contains(where: { $0.key.keyID == id }) {
            do {
                var key = TrustedKey(
                    try PublicKey(parsing: Array(text.utf8)), plugins: granted.plugins, types: granted.types,
                    level: granted.level, grantedBy: Self.fetchedGrant)
                key.owner = granted.owner
                // All of them are Grafana's: who was signed by one may be updated with another.
                if id != grafana.key.keyID { key.rotatedFrom = grafana.key.fingerprint }
                try add(key, to: &keys)
            } catch {
                problems.append("the key \(id) of Grafana's API is not used: \(Self.text(of: error))")
            }
        }
    }

    /// Adds a key unless its id, or that of a subkey, is taken.
    private func add(_ key: TrustedKey, to keys: inout [TrustedKey]) throws {
        _ = try TrustStore(keys: keys + [key])
        keys.append(key)
    }

    private func takeFolderList(_ outcome: inout Outcome) {
        guard let folderList, folder.revocations.serial > outcome.store.revocations.serial else { return }
        do throws(SigningError) {
            // The list in force judges who signed the new one: a revoked key cannot take its revocation back.
            let list = try outcome.store.openRevocations(
                folderList, minimumSerial: outcome.store.revocations.serial, now: now)
            outcome.store.revocations = list
            outcome.newList = PluginRevocations(
                serial: list.serial, content: String(decoding: folderList, as: UTF8.self))
        } catch {
            outcome.problems.append("the list of revocations in the trust folder is not used: \(error.message)")
        }
    }

    private static func text(of error: any Error) -> String { (error as? SigningError)?.message ?? "\(error)" }
}

/// A key with its grants as the database has them: JSON, so that a row says all about its key.
struct StoredTrustKey {
    var trusted: TrustedKey

    static let source = "the database"

    init(_ trusted: TrustedKey) {
        self.trusted = trusted
        self.trusted.grantedBy = Self.source
    }

    /// Reads a row.
    ///
    /// - Throws: `SigningError`, also when the row holds another key than it says.
    init(_ row: PluginTrustKey) throws {
        try self.init(json: (try? JSONValue(parsing: Array(row.content.utf8))) ?? .null)
        guard trusted.key.fingerprint == row.fingerprint else {
            throw SigningError(.keyMalformed, "it holds the key \(trusted.key.fingerprint); remove it and add it again")
        }
    }

    /// Reads the body of `POST /api/plugins/trust/keys`, which rows have as well.
    ///
    /// - Throws: `SigningError` for a key that cannot be used, and for grants that are missing or unknown.
    init(json: JSONValue) throws {
        guard let text = json["publicKey"]?.string, !text.isEmpty else {
            throw SigningError(.keyMalformed, "publicKey is missing; give an armored OpenPGP public key")
        }
        let key = try PublicKey(parsing: Array(text.utf8))
        let plugins = json["plugins"]?.array?.map(\.string) ?? []
        guard !plugins.isEmpty, !plugins.contains(where: { $0?.isEmpty ?? true }) else {
            throw SigningError(
                .trustStoreMalformed,
                "plugins must be a list of ids or patterns, such as [\"acme-*\"]; give at least one")
        }
        let types = json["types"]?.array?.map { Manifest.SignatureType(rawValue: $0.string ?? "") } ?? [.privatePlugin]
        guard !types.isEmpty, !types.contains(nil) else {
            let known = Manifest.SignatureType.allCases.map(\.rawValue).joined(separator: ", ")
            throw SigningError(.trustStoreMalformed, "types must be a list of \(known); leave it out for private")
        }
        guard let level = TrustLevel(rawValue: json["level"]?.string ?? TrustLevel.process.rawValue) else {
            throw SigningError(.trustStoreMalformed, "level must be process or in-process; leave it out for process")
        }
        var trusted = TrustedKey(
            key, plugins: plugins.compactMap { $0 }, types: Set(types.compactMap { $0 }), level: level,
            grantedBy: Self.source)
        if let bad = trusted.malformedPattern {
            throw SigningError(.trustStoreMalformed, "'\(bad)' is no pattern of plugin ids; write one such as acme-*")
        }
        if let owner = json["owner"]?.string, !owner.isEmpty { trusted.owner = owner }
        trusted.mayRevoke = json["mayRevoke"]?.bool ?? false
        self.trusted = trusted
    }

    /// The row's content.
    ///
    /// - Throws: `SigningError` when the key cannot be written.
    func content() throws -> String {
        let json: JSONValue = [
            "publicKey": .string(try trusted.key.armored()), "owner": .string(trusted.owner),
            "plugins": .array(trusted.plugins.map { .string($0) }),
            "types": .array(trusted.sortedTypes.map { .string($0) }), "level": .string(trusted.level.rawValue),
            "mayRevoke": .bool(trusted.mayRevoke),
        ]
        return json.encoded()
    }
}

extension TrustedKey {
    /// Whether nothing but the server itself says that the key is trusted.
    var isBuiltIn: Bool { grantedBy == Self.builtInGrant }

    private static let builtInGrant = (try? TrustStore.builtIn().keys.first)?.grantedBy

    /// The types in the order of the format.
    var sortedTypes: [String] {
        Manifest.SignatureType.allCases.filter(types.contains).map(\.rawValue)
    }
}

extension TrustStore {
    /// Trusts nobody.
    static let empty: TrustStore = {
        do {
            return try TrustStore(keys: [])
        } catch {
            preconditionFailure("a store without keys has no key twice")
        }
    }()
}
