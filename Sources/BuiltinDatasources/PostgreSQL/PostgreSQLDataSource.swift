// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One configured PostgreSQL.
struct PostgreSQLDataSource: QueryHandler, CheckHealthHandler, CallResourceHandler {
    let settings: PostgreSQLSettings
    let host: Host
    let runner: SQLRunner

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        let read = try PostgreSQLSettings(settings)
        self.settings = read
        self.host = host
        runner = SQLRunner(
            pool: SQLPool(limits: read.limits) { try PostgreSQLConnection.open(read) { host.secret($0) } })
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        guard let (sql, format) = try SQLModel.read(query) else { return }
        let macros = PostgreSQLMacros(times: MacroTimes(query, now: host.now), hasTimescaleDB: settings.hasTimescaleDB)
        let (text, fill) = try macros.expand(sql)
        let prepared = SQLQuery(query, text: text, format: format, timeColumns: ["time"], fill: fill)
        try await SQLFailure.logging(query.refID, context) {
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
            guard isAdmin else { return HealthResult(.error, error.message) }
            let details = error.details.flatMap { try? JSONValue(parsing: Array($0.text.utf8)) }
            let reason = details?["reason"]?.string
            return HealthResult(
                .error, Self.healthMessage(of: error, details),
                details: [
                    "verboseMessage": .string(reason ?? error.message),
                    "errorDetailsLink": "https://grafana.com/docs/grafana/latest/datasources/postgres",
                ])
        }
    }

    private static func healthMessage(of error: PluginError, _ details: JSONValue?) -> String {
        guard details?["kind"] != nil, let reason = details?["reason"]?.string else { return error.message }
        return PostgreSQLFailure.Kind(reason).healthMessage
    }

    /// Answers `tables` and `columns?table=…`, for completion in editors.
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let catalogue = SQLCatalogue(
            runner: runner,
            tables: """
                SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                  AND n.nspname !~ '^pg_' ORDER BY 1
                """,
            columns: { table, _ in
                """
                SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
                WHERE attrelid = to_regclass(\(SQLCatalogue.literal(table))) AND attnum > 0 AND NOT attisdropped
                ORDER BY attnum
                """
            })
        try await SQLFailure.logging(request.path, context) { try await catalogue.respond(to: request, into: response) }
    }
}
