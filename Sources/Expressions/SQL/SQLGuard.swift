// SPDX-License-Identifier: Apache-2.0
import CArrowTable
import CSQLite

/// Watches over one statement: what it may do, how long it may take, how much memory it may hold.
final class SQLGuard {
    private let limits: ExpressionLimits
    private let checkpoint: ExpressionCheckpoint
    private let end: ContinuousClock.Instant?
    /// The tables, in lower case.
    private let tables: Set<String>
    /// Why the statement was refused or stopped.
    private(set) var error: ExpressionError?

    /// Operations of SQLite's machine between two looks at the clock; about 50 µs.
    private static let operationsPerLook: Int32 = 2000

    init(_ limits: ExpressionLimits, _ checkpoint: ExpressionCheckpoint, _ tables: Set<String>) {
        self.limits = limits
        self.checkpoint = checkpoint
        self.tables = Set(tables.map { $0.lowercased() })
        end = limits.sqlTimeout > .zero ? ContinuousClock.now + limits.sqlTimeout : nil
    }

    /// Begins to watch; the guard has to outlive the database.
    func attach(to database: OpaquePointer) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_set_authorizer(
            database,
            { context, action, first, second, _, _ in
                // '!' is fine: the context is the one that is set here
                Unmanaged<SQLGuard>.fromOpaque(context!).takeUnretainedValue().authorize(action, first, second)
            }, context)
        sqlite3_progress_handler(
            database, Self.operationsPerLook,
            { context in
                // '!' is fine: as above
                Unmanaged<SQLGuard>.fromOpaque(context!).takeUnretainedValue().stopReason() == nil ? 0 : 1
            }, context)
    }

    /// Why the statement has to stop; nil: it may go on.
    func stopReason() -> ExpressionError? {
        if error == nil { error = checkpoint.error }
        if error == nil, let end, ContinuousClock.now >= end {
            error = ExpressionError(
                .timeout,
                "sql expression: took longer than \(limits.sqlTimeout); ask for fewer rows or raise [expressions] "
                    + "sql_expression_timeout")
        }
        if error == nil, arrow_memory_used() > Int64(limits.sqlMemoryBytes) {
            error = ExpressionError(
                .limit,
                "sql expression: sorting and grouping need more than \(limits.sqlMemoryBytes >> 20) MiB; join or "
                    + "group fewer rows")
        }
        return error
    }

    private func authorize(
        _ action: Int32, _ first: UnsafePointer<CChar>?, _ second: UnsafePointer<CChar>?
    ) -> Int32 {
        switch action {
        case SQLITE_SELECT, SQLITE_RECURSIVE: return SQLITE_OK
        case SQLITE_READ:
            let name = first.map { String(cString: $0).lowercased() } ?? ""
            guard !name.hasPrefix("sqlite_"), !name.hasPrefix("pragma_"), name != "dbstat" else {
                return refuse("node table \(name)")
            }
            return SQLITE_OK
        case SQLITE_FUNCTION:
            let name = second.map { String(cString: $0).lowercased() } ?? ""
            return SQLFunctions.allowed.contains(name) ? SQLITE_OK : refuse("function \(name)")
        default: return refuse("node \(Self.names[action] ?? "action \(action)")")
        }
    }

    private func refuse(_ what: String) -> Int32 {
        if error == nil {
            error = ExpressionError(.execution, "sql expression: blocked \(what) - not supported in queries")
        }
        return SQLITE_DENY
    }

    /// The actions as the error texts name them.
    private static let names: [Int32: String] = [
        SQLITE_INSERT: "insert", SQLITE_UPDATE: "update", SQLITE_DELETE: "delete", SQLITE_PRAGMA: "pragma",
        SQLITE_ATTACH: "attach", SQLITE_DETACH: "detach", SQLITE_TRANSACTION: "transaction",
        SQLITE_SAVEPOINT: "savepoint", SQLITE_ANALYZE: "analyze", SQLITE_REINDEX: "reindex",
        SQLITE_ALTER_TABLE: "alter table", SQLITE_CREATE_TABLE: "create table", SQLITE_CREATE_VIEW: "create view",
        SQLITE_CREATE_TEMP_TABLE: "create table", SQLITE_CREATE_TEMP_VIEW: "create view",
        SQLITE_CREATE_INDEX: "create index", SQLITE_CREATE_TRIGGER: "create trigger",
        SQLITE_CREATE_TEMP_TRIGGER: "create trigger", SQLITE_CREATE_VTABLE: "create table",
        SQLITE_DROP_TABLE: "drop table", SQLITE_DROP_VIEW: "drop view", SQLITE_DROP_INDEX: "drop index",
        SQLITE_DROP_TRIGGER: "drop trigger", SQLITE_DROP_VTABLE: "drop table",
    ]
}
