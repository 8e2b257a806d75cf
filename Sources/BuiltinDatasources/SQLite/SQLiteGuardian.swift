// SPDX-License-Identifier: Apache-2.0
import CSQLite
import PluginABI

/// What statements on a SQLite file may do; asked by SQLite for each action of a statement that is compiled.
final class SQLiteGuardian: Sendable {
    let isReadOnly: Bool
    private let attachLimit: Int
    private let serverDatabase: String

    static let readOnly =
        "the statement writes, and this data source only reads; set readOnly to false in the data source to allow it"
    static let oneStatement =
        "this data source only reads and runs one statement a query; set readOnly to false in the data source to allow more"

    init(isReadOnly: Bool, attachLimit: Int, serverDatabase: String) {
        self.serverDatabase = serverDatabase
        self.isReadOnly = isReadOnly
        self.attachLimit = attachLimit
    }

    /// Pragmas that only tell something when they have no value, or the name of a table.
    private static let describingPragmas: Set<String> = [
        "application_id", "collation_list", "compile_options", "data_version", "database_list", "encoding",
        "foreign_key_check", "foreign_key_list", "freelist_count", "function_list", "index_info", "index_list",
        "index_xinfo", "integrity_check", "page_count", "page_size", "pragma_list", "quick_check", "schema_version",
        "table_info", "table_list", "table_xinfo", "user_version",
    ]
    private static let valuesOfThese: Set<String> = [
        "application_id", "encoding", "page_size", "schema_version", "user_version",
    ]

    /// Functions that reach out of the database; `json_patch` compares each name with each other in one step that nothing
    /// interrupts.
    private static let forbiddenFunctions: Set<String> = [
        "edit", "fts3_tokenizer", "json_patch", "load_extension", "readfile", "writefile",
    ]

    /// Makes SQLite ask; the connection must keep the guardian.
    func install(on handle: OpaquePointer) {
        sqlite3_set_authorizer(
            handle,
            { context, action, first, second, _, _ in
                guard let context else { return SQLITE_DENY }
                let guardian = Unmanaged<SQLiteGuardian>.fromOpaque(context).takeUnretainedValue()
                let isAllowed = guardian.allows(
                    action, first.map { String(cString: $0) }, second.map { String(cString: $0) })
                return isAllowed ? SQLITE_OK : SQLITE_DENY
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    func allows(_ action: Int32, _ first: String?, _ second: String?) -> Bool {
        switch action {
        case SQLITE_SELECT, SQLITE_READ, SQLITE_RECURSIVE: return true
        // Asked when a table-valued pragma is declared; an UPDATE of the schema itself fails for three more reasons.
        case SQLITE_UPDATE where first == "sqlite_master": return true
        case SQLITE_FUNCTION: return !Self.forbiddenFunctions.contains((second ?? "").lowercased())
        case SQLITE_PRAGMA: return allowsPragma((first ?? "").lowercased(), value: second)
        case SQLITE_ATTACH:
            // A name that is computed is not known yet, and so not allowed.
            guard attachLimit > 0, let first, !first.isEmpty else { return false }
            let path = first.hasPrefix("file:") ? String(first.dropFirst(5)) : first
            return SQLitePathRules.fault(of: path, serverDatabase: serverDatabase) == nil
        case SQLITE_DETACH: return attachLimit > 0
        default: return !isReadOnly
        }
    }

    private func allowsPragma(_ name: String, value: String?) -> Bool {
        guard Self.describingPragmas.contains(name) else { return false }
        return value == nil || !Self.valuesOfThese.contains(name)
    }
}

/// SQLite's failures in the words of the SDK.
enum SQLiteFailure {
    /// - Parameter doing: What was done when it failed; nil for the user's statement.
    static func error(_ status: Int32, _ handle: OpaquePointer?, doing: String?) -> PluginError {
        let text =
            handle.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? String(cString: sqlite3_errstr(status))
        let message = doing.map { "\($0) failed: \(text)" } ?? "db query error: \(text)"
        let details = JSONText("{\"sqliteCode\":\(status)}")
        switch status & 0xFF {
        case SQLITE_INTERRUPT: return PluginError(.cancelled, "the query was cancelled", source: .downstream)
        case SQLITE_NOMEM: return PluginError(.noMemory, message, source: .downstream, details: details)
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR:
            return PluginError(.io, message, source: .downstream, details: details)
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return PluginError(
                .badData, message, source: .downstream, hint: "The file is damaged or is no SQLite database.",
                details: details)
        case SQLITE_CANTOPEN:
            return PluginError(
                .io, message, source: .downstream,
                hint:
                    "A database in WAL mode needs a folder that the server may write, or the path option immutable=1.",
                details: details)
        case SQLITE_AUTH:
            return PluginError(
                .forbidden,
                "the statement does what this data source does not allow: \(text); only reading is allowed unless readOnly "
                    + "is false, and ATTACH only up to attachLimit", source: .user, details: details)
        default: return PluginError(.invalid, message, source: .downstream, details: details)
        }
    }
}
