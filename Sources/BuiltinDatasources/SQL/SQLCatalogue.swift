// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Answers what tables and columns there are, for completion in editors.
///
/// `tables` is a list of names; `columns?table=…` is a list of `{"name","type"}`.
struct SQLCatalogue {
    let runner: SQLRunner
    /// Selects the names of tables.
    let tables: String
    /// Selects name and type of the columns of a table; the second argument is its schema, or empty.
    let columns: (_ table: String, _ schema: String) -> String

    /// A text as a literal of standard SQL.
    static func literal(_ text: String) -> String { "'" + text.replacingAll("'", with: "''") + "'" }

    func respond(to request: ResourceRequest, into response: ResourceResponder) async throws {
        guard request.method == "GET" else {
            return try await response.respond(status: 405, text: "use GET for \(request.path)")
        }
        let parameters = FormEncoding.decode(request.query)
        func parameter(_ name: String) -> String { parameters.first { $0.name == name }?.value ?? "" }
        switch String(request.path.drop { $0 == "/" }) {
        case "tables":
            let rows = try await rows(of: tables, columnCount: 1)
            try await response.respond(json: .array(rows.map { .string($0[0]) }))
        case "columns":
            let table = parameter("table")
            guard !table.isEmpty else {
                return try await response.respond(status: 400, text: "the parameter table is missing")
            }
            let rows = try await rows(of: columns(table, parameter("schema")), columnCount: 2)
            try await response.respond(json: .array(rows.map { ["name": .string($0[0]), "type": .string($0[1])] }))
        default:
            try await response.respond(
                status: 404, text: "there is no resource \(request.path); there are tables and columns?table=NAME")
        }
    }

    /// The most rows of an answer, and the most bytes that are kept of them.
    private static let maximumRows = 10_000
    private static let maximumBytes = 8 << 20

    /// The rows as texts, each with that many; what is too much is left out.
    ///
    /// - Throws: ``PluginError``, also `.badData` for a server that answers something else.
    private func rows(of sql: String, columnCount: Int) async throws -> [[String]] {
        let query = SQLQuery(
            refID: "", text: SQLText(sql), format: .table, from: Timestamp(nanoseconds: 0),
            to: Timestamp(nanoseconds: 0), timeColumns: [])
        return try await runner.pool.withSession { session in
            let names = try await session.run { try $0.begin(query) }
            guard names.count == columnCount else {
                throw PluginError(
                    .badData,
                    "the server answers its catalogue with \(names.count) columns, and \(columnCount) were asked for",
                    source: .downstream)
            }
            var rows: [[String]] = []
            var bytes = 0
            var isLast = false
            while !isLast, rows.count < Self.maximumRows, bytes < Self.maximumBytes {
                let limit = SQLBatchLimit(rows: Self.maximumRows - rows.count)
                let batch = try await session.run { try $0.fetch(limit) }
                isLast = batch.isLast
                bytes += batch.byteCount
                for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.string(at: row) ?? "" }) }
            }
            return rows
        }
    }
}
