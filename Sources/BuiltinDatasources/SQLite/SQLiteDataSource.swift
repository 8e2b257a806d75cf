// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One configured SQLite file.
struct SQLiteDataSource: QueryHandler, CheckHealthHandler {
    let settings: SQLiteSettings
    let host: Host
    let runner: SQLRunner

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        let read = try SQLiteSettings(
            jsonData: settings.jsonData, secureOptions: host.secret("securePathOptions"),
            serverDatabase: host.setting(ServerDatabase.setting) ?? "")
        self.settings = read
        self.host = host
        // A file may be replaced at any time: it is opened for each query, and nothing stays open.
        runner = SQLRunner(
            pool: SQLPool(limits: .init(maxOpen: 16, maxIdle: 0, maxLifetime: 0)) {
                try SQLiteSourceConnection.open(read)
            })
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        guard let prepared = try SQLiteQuery.read(query) else { return }
        try await runner.run(prepared, context: context, into: response)
    }

    func checkHealth(context: CallContext) async throws -> HealthResult {
        if let fault = SQLitePathRules.fault(of: settings.path, serverDatabase: settings.serverDatabase) {
            return HealthResult(.error, "error checking db: \(fault)")
        }
        do {
            try await runner.ping()
        } catch let error as PluginError where error.code != .cancelled {
            return HealthResult(.error, "error checking db: error checking for valid SQLite file: \(error.message)")
        }
        return HealthResult(.ok, "Data source is working")
    }
}

extension SQLiteDataSource: CallResourceHandler {
    /// Answers `tables` and `columns?table=…`, for completion in editors.
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let catalogue = SQLCatalogue(
            runner: runner,
            tables:
                "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name",
            columns: { table, _ in
                "SELECT name, type FROM pragma_table_xinfo(\(SQLCatalogue.literal(table))) ORDER BY cid"
            })
        try await catalogue.respond(to: request, into: response)
    }
}
