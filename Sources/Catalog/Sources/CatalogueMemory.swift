// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Signing

/// What was seen of static catalogues: the highest serial and the key of each.
///
/// An older index is never accepted again.
struct CatalogueMemory: Sendable {
    let folder: PluginsFolder

    /// Compares an index with what was seen before, and remembers it where this user may write.
    ///
    /// - Parameters:
    ///   - location: Its name here, without a password.
    ///   - address: Its name here before that, perhaps with one; it is forgotten.
    /// - Throws: ``CatalogError`` `.catalogRolledBack`, `.catalogUntrusted`, `.folderFailed`.
    func accept(
        _ serial: Int64, signer: TrustedKey, store: TrustStore, of location: String, address: String
    ) throws {
        // Readers of other catalogues write the same file: what one has seen must not be lost by another.
        let lock = open("\(folder.workspace)/catalogues.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
        if lock >= 0 { while flock(lock, LOCK_EX) != 0, errno == EINTR {} }
        defer {
            if lock >= 0 {
                flock(lock, LOCK_UN)
                close(lock)
            }
        }
        var list = try read()
        let fingerprint = signer.key.fingerprint
        let former = address == location ? nil : list[address]
        if former != nil { list[address] = nil }
        if let seen = list[location] ?? former {
            let last = seen["serial"]?.int ?? 0
            guard serial >= Int64(last) else {
                throw CatalogError(
                    .catalogRolledBack,
                    "'\(location)': its index has the serial \(serial), and \(last) was seen before; somebody serves an old "
                        + "copy: tell its owner")
            }
            let pin = seen["fingerprint"]?.string ?? fingerprint
            guard store.isSamePublisher(pin, fingerprint) else {
                throw CatalogError(
                    .catalogUntrusted,
                    "'\(location)': its index was signed by the key \(pin) and now is signed by \(fingerprint)",
                    remedy: "ask its owner; if that is right, remove the entry from '\(folder.catalogues)'")
            }
            if serial == Int64(last), pin == fingerprint, former == nil { return }
        }
        list[location] = ["serial": .integer(serial), "fingerprint": .string(fingerprint)]
        guard lock >= 0, access(folder.workspace, W_OK) == 0 else { return }
        let value: JSONValue = ["schemaVersion": 1, "catalogues": .object(list)]
        try FileTree.replace(
            folder.catalogues, with: Array((JSONText.indented(value) + "\n").utf8),
            temporary: "\(folder.catalogues).new")
    }

    private func read() throws -> JSONObject {
        guard let bytes = try FileTree.read(folder.catalogues) else { return [:] }
        guard let json = try? JSONValue(parsing: bytes), let list = json["catalogues"]?.object else {
            throw CatalogError(
                .folderFailed,
                "'\(folder.catalogues)': it is damaged, so old catalogues could not be told from new ones; restore it or, "
                    + "after a look at the catalogues, remove it")
        }
        return list
    }
}
