// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One configured database behind an ADBC driver.
struct ADBCDataSource: QueryHandler, CheckHealthHandler, CallResourceHandler {
    let settings: ADBCSettings
    let host: Host
    let runner: SQLRunner

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        let read = try ADBCSettings(
            settings, listed: host.setting(ADBCDriverEntry.setting),
            serverDatabase: host.setting(ServerDatabase.setting) ?? "")
        self.settings = read
        self.host = host
        let connector = ADBCConnector(read) { host.secret($0) }
        runner = SQLRunner(pool: SQLPool(limits: read.limits) { try connector.connect() })
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        guard let (sql, format) = try SQLModel.read(query) else { return }
        let (text, fill) = try settings.dialect.macros(MacroTimes(query, now: host.now)).expand(sql)
        let prepared = SQLQuery(query, text: text, format: format, timeColumns: ["time", "time_sec"], fill: fill)
        try await runner.run(prepared, context: context, into: response)
    }

    /// Connects, asks who answers, and runs a statement.
    func checkHealth(context: CallContext) async throws -> HealthResult {
        do {
            let information = try await withConnection { try $0.information() }
            try await runner.ping()
            return HealthResult(.ok, "Database Connection OK" + (information.map { ": \($0)" } ?? ""))
        } catch let error as PluginError where error.code != .cancelled {
            var details: JSONObject = ["verboseMessage": .string(error.hint ?? error.message)]
            if let known = error.details, let value = try? JSONValue(parsing: Array(known.text.utf8)) {
                details["adbc"] = value
            }
            return HealthResult(.error, error.message, details: .object(details))
        }
    }

    /// Runs the body on a connection, where it may block.
    private func withConnection<Value: Sendable>(
        _ body: @escaping @Sendable (ADBCConnection) throws -> Value
    ) async throws -> Value {
        try await runner.pool.withSession { session in
            try await session.run { connection in
                guard let connection = connection as? ADBCConnection else {
                    throw PluginError(.internal, "a connection of another data source")
                }
                return try body(connection)
            }
        }
    }

    /// Answers `tables`, `columns?table=…` and `table-types`, for completion in editors.
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        guard request.method == "GET" else {
            return try await response.respond(status: 405, text: "use GET for \(request.path)")
        }
        let parameters = FormEncoding.decode(request.query)
        func parameter(_ name: String) -> String { parameters.first { $0.name == name }?.value ?? "" }
        switch String(request.path.drop { $0 == "/" }) {
        case "tables":
            let names = try await withConnection { try $0.tables() }
            try await response.respond(json: .array(names.map { .string($0) }))
        case "table-types":
            let names = try await withConnection { try $0.tableTypes() }
            try await response.respond(json: .array(names.map { .string($0) }))
        case "columns":
            guard !parameter("table").isEmpty else {
                return try await response.respond(status: 400, text: "the parameter table is missing")
            }
            try await respond(columnsOf: parameter("table"), schema: parameter("schema"), into: response)
        default:
            try await response.respond(
                status: 404,
                text: "there is no resource \(request.path); there are tables, columns?table=NAME and table-types")
        }
    }

    /// A table may be named with its schema, as `tables` lists it.
    private func respond(
        columnsOf table: String, schema: String, into response: ResourceResponder
    ) async throws {
        let parts = table.split(separator: ".", maxSplits: 1).map(String.init)
        let (name, schema) =
            schema.isEmpty && parts.count == 2 ? (parts[1], parts[0]) : (table, schema.isEmpty ? nil : schema)
        do {
            let columns = try await withConnection { try $0.columns(of: name, schema: schema) }
            try await response.respond(
                json: .array(columns.map { ["name": .string($0.name), "type": .string($0.type)] }))
        } catch let error as PluginError where [.notFound, .invalid].contains(error.code) {
            try await response.respond(status: 404, text: error.message)
        }
    }
}
