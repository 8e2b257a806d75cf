// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One configured MySQL or MariaDB.
struct MySQLDataSource: QueryHandler, CheckHealthHandler, CallResourceHandler {
    let settings: MySQLSettings
    let host: Host
    let runner: SQLRunner

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        let read = try MySQLSettings(settings)
        self.settings = read
        self.host = host
        runner = SQLRunner(pool: SQLPool(limits: read.limits) { try MySQLConnection.open(read) { host.secret($0) } })
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        guard let (sql, format) = try SQLModel.read(query) else { return }
        try await SQLFailure.logging(query.refID, context) {
            try MySQLMacros.checkSecrets(in: sql)
            let (text, fill) = try MySQLMacros(times: MacroTimes(query, now: host.now)).expand(sql)
            let prepared = SQLQuery(
                query, text: text, format: format, timeColumns: ["time", "time_sec"], fill: fill)
            try await runner.run(prepared, context: context, into: response)
        }
    }

    /// Asks for a sign of life; administrators read why there is none.
    func checkHealth(context: CallContext) async throws -> HealthResult {
        do {
            try await runner.ping()
            return HealthResult(.ok, "Database Connection OK")
        } catch let error as PluginError where error.code != .cancelled {
            let isAdmin = context.principal.map { $0.role == "Admin" } ?? true
            return HealthResult(.error, isAdmin ? SQLFailure.reason(of: error) : error.message)
        }
    }

    /// Answers `tables` and `columns?table=…`, for completion in editors.
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let database = settings.database.isEmpty ? "" : " AND table_schema = DATABASE()"
        let catalogue = SQLCatalogue(
            runner: runner,
            tables: """
                SELECT IF(table_schema = DATABASE(), table_name, CONCAT(table_schema, '.', table_name))
                FROM information_schema.tables
                WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')\(database)
                ORDER BY 1
                """,
            columns: { table, schema in
                """
                SELECT column_name, column_type FROM information_schema.columns
                WHERE table_name = \(Self.hexadecimal(table)) AND
                  table_schema = \(schema.isEmpty ? "DATABASE()" : Self.hexadecimal(schema))
                ORDER BY ordinal_position
                """
            })
        try await SQLFailure.logging(request.path, context) { try await catalogue.respond(to: request, into: response) }
    }

    /// A text as a literal that means the same with every setting of the server.
    private static func hexadecimal(_ text: String) -> String {
        let bytes = Array(text.utf8).withUnsafeBufferPointer { SQLBytes.hexadecimal($0) }
        return "_utf8mb4 x'\(String(decoding: bytes.dropFirst(2), as: UTF8.self))'"
    }
}
