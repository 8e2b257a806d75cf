// SPDX-License-Identifier: Apache-2.0

extension TrustStore {
    /// The largest policy file that is read: 64 KiB.
    static let maximumPolicyBytes = 64 << 10

    /// Reads a trust folder: `NAME.asc` is a key and `NAME.json` its policy; `revocations.txt` is the revocation list.
    ///
    /// Grafana's own key is there without a file; a policy with its fingerprint and without a key file changes what it
    /// may sign. A folder that does not exist is an empty one.
    ///
    /// - Parameters:
    ///   - minimumSerial: The highest serial of a revocation list that was ever seen; 0 when none was.
    ///   - now: Seconds since 1970.
    /// - Throws: ``SigningError``; one bad file refuses the whole store, so that no key or revocation is lost unnoticed.
    public init(folder: String, minimumSerial: Int64 = 0, now: Int64) throws(SigningError) {
        try self.init(keysOf: folder)
        let list = "\(folder)/\(RevocationList.fileName)"
        revocations = try readRevocations(FileAccess.exists(list) ? list : nil, minimumSerial: minimumSerial, now: now)
    }

    /// Reads the keys of a trust folder, and no revocations.
    init(keysOf folder: String) throws(SigningError) {
        let names = FileAccess.exists(folder) ? try FileAccess.names(in: folder) : []
        var grafana: TrustedKey? = try Self.grafana()
        var keys: [TrustedKey] = []
        for name in names where name.hasSuffix(".asc") {
            let policy = "\(name.dropLast(4)).json"
            guard names.contains(policy) else {
                throw SigningError(
                    .trustStoreMalformed,
                    "\(folder)/\(name) has no \(policy), so it may sign nothing; add it with grafana-sign trust add")
            }
            let key = try Self.readKey("\(folder)/\(name)")
            if key.fingerprint == GrafanaKey.fingerprint { grafana = nil }
            keys.append(try TrustPolicy(file: "\(folder)/\(policy)").applied(to: key, file: "\(folder)/\(policy)"))
        }
        for name in names where name.hasSuffix(".json") && !names.contains("\(name.dropLast(5)).asc") {
            let path = "\(folder)/\(name)"
            let policy = try TrustPolicy(file: path)
            guard let key = grafana?.key, policy.fingerprint == key.fingerprint else {
                throw SigningError(
                    .trustStoreMalformed, "\(path) has no key beside it; add \(name.dropLast(5)).asc or remove it")
            }
            keys.append(try policy.applied(to: key, file: path))
            grafana = nil
        }
        try self.init(keys: (grafana.map { [$0] } ?? []) + keys)
    }

    private static func readKey(_ path: String) throws(SigningError) -> PublicKey {
        let bytes = try FileAccess.bytes(of: path, limit: PublicKey.maximumBytes)
        do throws(SigningError) {
            return try PublicKey(parsing: bytes)
        } catch {
            throw SigningError(error.code, "\(path): \(error.message)")
        }
    }

    private func readRevocations(
        _ path: String?, minimumSerial: Int64, now: Int64
    ) throws(SigningError) -> RevocationList {
        guard let path else {
            guard minimumSerial <= 0 else {
                throw SigningError(
                    .revocationsRolledBack,
                    "\(RevocationList.fileName) is gone, and serial \(minimumSerial) was seen before; put it back")
            }
            return RevocationList()
        }
        let bytes = try FileAccess.bytes(of: path, limit: RevocationList.maximumBytes)
        do throws(SigningError) {
            return try openRevocations(bytes, minimumSerial: minimumSerial, now: now)
        } catch {
            throw SigningError(error.code, "\(path): \(error.message)")
        }
    }

    /// Reads and verifies a revocation list, as a file or a message from elsewhere.
    ///
    /// - Throws: ``SigningError``: `.statementInvalid`, `.statementUntrusted`, `.revocationsRolledBack`.
    public func openRevocations(
        _ bytes: [UInt8], minimumSerial: Int64, now: Int64
    ) throws(SigningError) -> RevocationList {
        let statement = try SignedStatement(opening: bytes, kind: RevocationList.kind, store: self, now: now)
        guard statement.signer.mayRevoke else {
            throw SigningError(
                .statementUntrusted,
                "the key \(statement.signer.key.keyID) may not revoke; set \"mayRevoke\" in its policy file")
        }
        let list = try RevocationList(statement.json, signedBy: statement.signer.key.fingerprint)
        guard list.serial >= minimumSerial else {
            throw SigningError(
                .revocationsRolledBack,
                "its serial is \(list.serial), and \(minimumSerial) was seen before; get the newest list")
        }
        return list
    }
}
