// SPDX-License-Identifier: Apache-2.0
import CADBC
import PluginABI

/// What the user configured for one database behind a driver.
struct ADBCSettings: Sendable {
    typealias Option = (name: String, value: String)

    /// The driver, by the name that the operator gave it.
    var driver: ADBCDriverEntry
    /// The address, in the words of the driver; may be empty.
    var uri: String
    var user: String
    /// Options of the database, its connections and statements, in the words of the driver.
    var databaseOptions: [Option]
    var connectionOptions: [Option]
    var statementOptions: [Option]
    /// Names of database options whose values are secrets of the same name.
    var secretOptions: [String]
    var dialect: ADBCDialect
    /// Whether statements that write are refused.
    var isReadOnly: Bool
    var limits: SQLPool.Limits

    /// - Parameter listed: what the operator lists in `[plugin.gf-adbc-datasource] drivers`.
    /// - Throws: ``PluginError`` `.invalid`, `.forbidden` for a driver that is not listed.
    init(_ settings: DataSourceInstanceSettings, listed: String?, serverDatabase: String = "") throws {
        let jsonData = settings.jsonData
        driver = try Self.driver(try Self.text("driver", in: jsonData), among: try ADBCDriverEntry.list(listed ?? ""))
        uri = settings.url
        user = settings.user
        databaseOptions = try Self.options("databaseOptions", in: jsonData)
        connectionOptions = try Self.options("connectionOptions", in: jsonData)
        statementOptions = try Self.options("statementOptions", in: jsonData)
        secretOptions = try (jsonData["secretOptions"]?.array ?? []).map { value in
            guard let name = value.string else {
                throw PluginError(.invalid, "the setting secretOptions is not a list of names of options")
            }
            return try Self.checked(name)
        }
        let name = try Self.text("dialect", in: jsonData)
        guard let dialect = name.isEmpty ? .standard : ADBCDialect(rawValue: name) else {
            let known = ADBCDialect.allCases.map(\.rawValue).joined(separator: ", ")
            throw PluginError(.invalid, "the setting dialect is \"\(name)\"; use one of \(known)")
        }
        self.dialect = dialect
        isReadOnly = jsonData["readOnly"]?.bool ?? true
        limits = try SQLPool.Limits(jsonData: jsonData)
        for value in [uri] + databaseOptions.map(\.value)
        where ServerDatabase.contains(Self.filePath(value), database: serverDatabase) {
            throw PluginError(
                .forbidden, "the address leads to the server's own database; name another one", source: .user)
        }
    }

    /// The file that an address of a driver for files names.
    private static func filePath(_ address: String) -> String {
        var path = address.prefix { $0 != "?" }
        for prefix in ["sqlite:", "duckdb:", "file:", "//localhost/", "///"] where path.hasPrefix(prefix) {
            path = path.dropFirst(prefix.hasSuffix("/") ? prefix.utf8.count - 1 : prefix.utf8.count)
        }
        return String(path)
    }

    private static func driver(_ name: String, among listed: [ADBCDriverEntry]) throws -> ADBCDriverEntry {
        let place = "[plugin.\(ADBCPlugin.id)] \(ADBCDriverEntry.setting)"
        guard !listed.isEmpty else {
            throw PluginError(
                .forbidden,
                "the server lists no ADBC drivers; its operator names those that may be loaded in \(place), such as "
                    + "sqlite=/usr/lib/libadbc_driver_sqlite.so", source: .user)
        }
        let names = listed.map(\.name).joined(separator: ", ")
        guard !name.isEmpty else {
            throw PluginError(.invalid, "the setting driver is empty; the server lists these: \(names)")
        }
        guard let entry = listed.first(where: { $0.name == name }) else {
            throw PluginError(
                .forbidden,
                "the ADBC driver \"\(name.prefix(64))\" is not among those that the server lists in \(place): \(names)",
                source: .user)
        }
        return entry
    }

    private static func text(_ key: String, in jsonData: JSONValue) throws -> String {
        guard let value = jsonData[key], !value.isNull else { return "" }
        guard let text = value.string else { throw PluginError(.invalid, "the setting \(key) is not a text") }
        return text
    }

    /// An object of options; numbers and truth values are given to drivers as their texts.
    private static func options(_ key: String, in jsonData: JSONValue) throws -> [Option] {
        guard let value = jsonData[key], !value.isNull else { return [] }
        guard let object = value.object else {
            throw PluginError(.invalid, "the setting \(key) is not an object of names and values of options")
        }
        return try object.map { name, value in
            switch value {
            case .string(let text): (try checked(name), text)
            case .bool, .integer, .number: (try checked(name), value.encoded())
            default: throw PluginError(.invalid, "the option \(name) in \(key) is neither a text nor a number")
            }
        }
    }

    /// Options that would load code past the operator's list.
    private static func checked(_ name: String) throws -> String {
        let isLoader = name.lowercased().contains("load_extension") || ["driver", "entrypoint"].contains(name)
        guard !isLoader, !name.isEmpty, !name.utf8.contains(0) else {
            throw PluginError(
                .forbidden,
                "the option \"\(name)\" is not allowed: what is loaded into the server's processes is listed by its operator",
                source: .user)
        }
        return name
    }
}
