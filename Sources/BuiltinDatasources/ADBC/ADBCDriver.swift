// SPDX-License-Identifier: Apache-2.0
import CADBC
import Glibc
import PluginABI
import Synchronization

/// A driver that the operator lists: `name=/path/library.so` or `name=/path/library.so#entry`.
struct ADBCDriverEntry: Sendable, Hashable {
    var name: String
    var path: String
    /// The symbol that fills the driver's table; nil: the ones that drivers usually have.
    var symbol: String?

    /// The setting that lists them.
    static let setting = "drivers"

    /// Reads the list: entries with commas between them.
    ///
    /// - Throws: ``PluginError`` `.invalid`, for the operator.
    static func list(_ text: String) throws -> [ADBCDriverEntry] {
        var entries: [ADBCDriverEntry] = []
        for part in text.split(separator: ",") {
            let line = String(part).trimmingSpaces
            guard !line.isEmpty else { continue }
            let name = String(line.prefix { $0 != "=" }).trimmingSpaces
            let rest = String(line.dropFirst(line.prefix { $0 != "=" }.utf8.count + 1)).trimmingSpaces
            let path = String(rest.prefix { $0 != "#" })
            let symbol = rest.utf8.count > path.utf8.count ? String(rest.dropFirst(path.count + 1)) : nil
            guard !name.isEmpty, path.hasPrefix("/"), symbol?.isEmpty != true else {
                throw PluginError(
                    .invalid,
                    "the server's setting [plugin.\(ADBCPlugin.id)] \(setting) has the entry \"\(line)\"; write "
                        + "name=/path/of/library.so, with #symbol behind it for an entry of another name",
                    source: .plugin)
            }
            guard !entries.contains(where: { $0.name == name }) else {
                throw PluginError(
                    .invalid,
                    "the server's setting [plugin.\(ADBCPlugin.id)] \(setting) lists \"\(name)\" twice", source: .plugin
                )
            }
            entries.append(ADBCDriverEntry(name: name, path: path, symbol: symbol))
        }
        return entries
    }

    /// The symbols to look for.
    ///
    /// A driver `libadbc_driver_flight_sql.so` has `AdbcDriverFlightSqlInit`, and most have `AdbcDriverInit`.
    var symbols: [String] {
        if let symbol { return [symbol] }
        var base = path.split(separator: "/").last.map(String.init) ?? ""
        base = String(base.prefix { $0 != "." })
        if base.hasPrefix("lib") { base.removeFirst(3) }
        let words = base.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
            .map { $0.prefix(1).uppercased() + $0.dropFirst() }
        let own = words.joined()
        return [(own.hasPrefix("Adbc") ? own : "Adbc" + own) + "Init", "AdbcDriverInit"]
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var part = self[...]
        while part.first?.isWhitespace == true { part.removeFirst() }
        while part.last?.isWhitespace == true { part.removeLast() }
        return String(part)
    }
}

/// A driver's table of functions, in this process for ever.
///
/// Safety: the table is filled before anybody else sees it, and only read afterwards. Arrays that the driver gave live
/// longer than its connections, so the library is never closed.
final class ADBCDriver: @unchecked Sendable {  // Safety: filled before it is shared
    let name: String
    let table: UnsafeMutablePointer<AdbcDriver>
    /// `ADBC_VERSION_…`: what the driver agreed to.
    let version: Int32

    private static let loaded = Mutex<[ADBCDriverEntry: ADBCDriver]>([:])

    /// Loads the driver, or finds it loaded; may block while constructors run.
    ///
    /// - Throws: ``PluginError``.
    static func load(_ entry: ADBCDriverEntry) throws -> ADBCDriver {
        try loaded.withLock { loaded in
            if let driver = loaded[entry] { return driver }
            let driver = try ADBCDriver(entry)
            loaded[entry] = driver
            return driver
        }
    }

    private init(_ entry: ADBCDriverEntry) throws {
        name = entry.name
        table = .allocate(capacity: 1)
        do {
            version = try Self.negotiate(entry, table)
        } catch {
            table.deallocate()
            throw error
        }
    }

    /// Fills the table with the newest version that the driver has.
    private static func negotiate(_ entry: ADBCDriverEntry, _ table: UnsafeMutablePointer<AdbcDriver>) throws -> Int32 {
        let start = try start(of: entry)
        var reason = ""
        for version in [ADBC_VERSION_1_1_0, ADBC_VERSION_1_0_0] {
            table.initialize(to: AdbcDriver())
            var error = AdbcError()
            let status = start(version, table, &error)
            let told = ADBCFailure(status: Int32(status), consuming: &error, driver: nil)
            if status == UInt8(ADBC_STATUS_OK) {
                try requireFunctions(entry, table)
                return version
            }
            // Only this answer means that the driver does not know the version.
            guard Int32(status) == ADBC_STATUS_NOT_IMPLEMENTED else {
                throw told.error("starting the ADBC driver \"\(entry.name)\"", isQuery: false, hiding: [])
            }
            reason = told.message
        }
        throw PluginError(
            .unsupported,
            "the ADBC driver \"\(entry.name)\" has neither version 1.1.0 nor 1.0.0 of ADBC"
                + (reason.isEmpty ? "" : ": \(reason)"), source: .plugin)
    }

    private static func start(of entry: ADBCDriverEntry) throws -> AdbcDriverInitFunc {
        guard let library = dlopen(entry.path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown"
            throw PluginError(
                .io, "the ADBC driver \"\(entry.name)\" could not be loaded: \(reason)", source: .plugin,
                hint: "Install the library at the path that [plugin.\(ADBCPlugin.id)] drivers names, and what it needs."
            )
        }
        for symbol in entry.symbols {
            if let found = dlsym(library, symbol) { return unsafeBitCast(found, to: AdbcDriverInitFunc.self) }
        }
        throw PluginError(
            .unsupported,
            "the library \(entry.path) is no ADBC driver: it exports none of \(entry.symbols.joined(separator: ", "))",
            source: .plugin,
            hint: "If its entry has another name, write it behind the path: \(entry.name)=\(entry.path)#symbol.")
    }

    /// Drivers may leave out what they do not have, but not all of it.
    private static func requireFunctions(_ entry: ADBCDriverEntry, _ table: UnsafeMutablePointer<AdbcDriver>) throws {
        let functions = table.pointee
        let needed: [(String, Bool)] = [
            ("DatabaseNew", functions.DatabaseNew != nil), ("DatabaseInit", functions.DatabaseInit != nil),
            ("DatabaseRelease", functions.DatabaseRelease != nil), ("ConnectionNew", functions.ConnectionNew != nil),
            ("ConnectionInit", functions.ConnectionInit != nil),
            ("ConnectionRelease", functions.ConnectionRelease != nil), ("StatementNew", functions.StatementNew != nil),
            ("StatementSetSqlQuery", functions.StatementSetSqlQuery != nil),
            ("StatementExecuteQuery", functions.StatementExecuteQuery != nil),
            ("StatementRelease", functions.StatementRelease != nil),
        ]
        let missing = needed.filter { !$0.1 }.map(\.0)
        guard missing.isEmpty else {
            throw PluginError(
                .unsupported,
                "the ADBC driver \"\(entry.name)\" lacks the functions \(missing.joined(separator: ", "))",
                source: .plugin)
        }
    }
}

/// Calls functions of a driver for one data source.
struct ADBCCaller: Sendable {
    let driver: ADBCDriver
    /// Texts that no message may repeat.
    let secrets: [String]

    var table: AdbcDriver { driver.table.pointee }

    /// Calls a function.
    ///
    /// - Parameters:
    ///   - what: The words for a failure, such as `connecting`.
    ///   - isQuery: Whether it is the user's statement that fails.
    ///   - body: Gets the place for the error; nil: the driver does not have the function.
    /// - Throws: ``PluginError``.
    func call(
        _ what: String, isQuery: Bool = false, _ body: (UnsafeMutablePointer<AdbcError>) -> AdbcStatusCode?
    ) throws {
        var error = AdbcError()
        if driver.version >= ADBC_VERSION_1_1_0 { error.vendor_code = ADBCFailure.privateData }
        error.private_driver = driver.table
        let status = body(&error)
        let failure = ADBCFailure(
            status: status.map { Int32($0) } ?? ADBC_STATUS_NOT_IMPLEMENTED, consuming: &error, driver: driver)
        if status == UInt8(ADBC_STATUS_OK) { return }
        throw failure.error(what, isQuery: isQuery, hiding: secrets)
    }

    /// The same for a function that a driver may not have, or not for this: whether it did it.
    func attempt(_ what: String, _ body: (UnsafeMutablePointer<AdbcError>) -> AdbcStatusCode?) throws -> Bool {
        do {
            try call(what, body)
            return true
        } catch let error as PluginError where [.unsupported, .invalid, .notFound, .downstream].contains(error.code) {
            return false
        }
    }
}
