// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import Glibc
import PluginABI

/// What a driver knows about its database: tables, columns, kinds of tables, and itself.
extension ADBCConnection {
    /// More than a list for completion can show.
    private static let maximumRows = 10_000

    /// The names of tables and views, as a query can write them: those of the current schema as they are, others behind
    /// the name of their schema.
    ///
    /// - Throws: ``PluginError``.
    func tables() throws -> [String] {
        let catalog = option(ADBC_CONNECTION_OPTION_CURRENT_CATALOG)
        let schema = option(ADBC_CONNECTION_OPTION_CURRENT_DB_SCHEMA)
        let stream = try ADBCStream(caller, "listing tables") {
            caller.table.ConnectionGetObjects?(
                handle, Int32(ADBC_OBJECT_DEPTH_TABLES), catalog, nil, nil, nil, nil, $0, $1)
        }
        var names: [String] = []
        for row in try stream.rows(limit: Self.maximumRows) {
            for part in row[1]?.array ?? [] {
                let name = part["db_schema_name"]?.string ?? ""
                let isPlain = name.isEmpty || name == schema
                for table in part["db_schema_tables"]?.array ?? [] {
                    guard let text = table["table_name"]?.string, !Self.isSystem(table, schema: name) else { continue }
                    names.append(isPlain ? text : "\(name).\(text)")
                    if names.count == Self.maximumRows { return names }
                }
            }
        }
        return names
    }

    /// Tables that nobody makes panels of.
    private static func isSystem(_ table: JSONValue, schema: String) -> Bool {
        if ["pg_catalog", "information_schema", "pg_toast"].contains(schema.lowercased()) { return true }
        let type = table["table_type"]?.string?.lowercased() ?? ""
        return type.contains("index") || type.contains("system") || type.contains("toast")
    }

    /// The columns of a table with their Arrow types.
    ///
    /// - Throws: ``PluginError``, `.notFound` for a table that is not there.
    func columns(of table: String, schema: String?) throws -> [(name: String, type: String)] {
        var found = ArrowSchema()
        defer {
            let release = found.release
            release?(&found)
        }
        try caller.call("describing the table \(table)") { error in
            caller.table.ConnectionGetTableSchema?(handle, nil, schema, table, &found, error)
        }
        guard case .structure(let fields) = try ADBCField(found).type else {
            throw ADBCFault.schema(table, "a table is a struct with one child a column")
        }
        return fields.map { ($0.name, $0.type.name) }
    }

    /// Kinds such as `table` and `view`.
    ///
    /// - Throws: ``PluginError``.
    func tableTypes() throws -> [String] {
        let stream = try ADBCStream(caller, "listing the kinds of tables") {
            caller.table.ConnectionGetTableTypes?(handle, $0, $1)
        }
        return try stream.rows(limit: Self.maximumRows).compactMap { $0[0]?.string }
    }

    /// What the database and its driver call themselves: `PostgreSQL 17.2, ADBC PostgreSQL Driver 1.13.0`; nil when the
    /// driver does not say.
    func information() throws -> String? {
        let codes = [ADBC_INFO_VENDOR_NAME, ADBC_INFO_VENDOR_VERSION, ADBC_INFO_DRIVER_NAME, ADBC_INFO_DRIVER_VERSION]
            .map { UInt32($0) }
        let stream: ADBCStream
        do {
            stream = try ADBCStream(caller, "asking for the versions") {
                caller.table.ConnectionGetInfo?(handle, codes, codes.count, $0, $1)
            }
        } catch let error as PluginError where error.code == .unsupported {
            return nil
        }
        var texts: [Int: String] = [:]
        for row in try stream.rows(limit: 100) {
            if let code = row[0]?.int, let text = row[1]?.string { texts[code] = text }
        }
        func pair(_ name: Int32, _ version: Int32) -> String? {
            texts[Int(name)].map { name in [name, texts[Int(version)]].compactMap { $0 }.joined(separator: " ") }
        }
        let parts = [
            pair(ADBC_INFO_VENDOR_NAME, ADBC_INFO_VENDOR_VERSION),
            pair(ADBC_INFO_DRIVER_NAME, ADBC_INFO_DRIVER_VERSION),
        ].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }

    /// An option of the connection; nil when the driver does not tell.
    private func option(_ name: String) -> String? {
        guard let get = caller.table.ConnectionGetOption else { return nil }
        var bytes = [CChar](repeating: 0, count: 1024)
        var length = bytes.count
        var error = AdbcError()
        let status = get(handle, name, &bytes, &length, &error)
        let release = error.release
        release?(&error)
        guard status == UInt8(ADBC_STATUS_OK), length <= bytes.count else { return nil }
        let text = bytes[..<strnlen(bytes, bytes.count)].map { UInt8(bitPattern: $0) }
        return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
    }
}
