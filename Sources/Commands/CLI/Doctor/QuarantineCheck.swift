// SPDX-License-Identifier: Apache-2.0
import PluginHost
import Settings
import Storage

/// Which plugins are kept out of the server's process because of what they did there; read beside a running server, too.
struct QuarantineCheck: Sendable {
    let settings: Settings

    func findings() async -> [Finding] {
        // What is wrong with the database is the other check's to say.
        guard let database = try? DatabaseAccess(settings: settings), FolderCheck.exists(database.path) else {
            return []
        }
        // As beside a running server: without a migration.
        let lock = DatabaseLockProbe(path: database.path)
        defer { lock.release() }
        let kept = try? await database.with(role: .tool) { stores in
            var kept: [(id: String, entry: PluginQuarantine)] = []
            for id in try await stores.keyValues.keys(orgID: 0, namespace: PluginQuarantine.scope) {
                let value = try await stores.keyValues.find(orgID: 0, namespace: PluginQuarantine.scope, key: id)
                if let entry = value.flatMap({ PluginQuarantine(encoded: $0.value) }) { kept.append((id, entry)) }
            }
            return kept
        }
        return (kept ?? []).map { id, entry in
            .warning(
                "quarantine", "plugin '\(id)' \(entry.reason), and runs in a process of its own",
                remedy: "install a corrected version, or release it: DELETE /api/plugins/\(id)/quarantine")
        }
    }
}
