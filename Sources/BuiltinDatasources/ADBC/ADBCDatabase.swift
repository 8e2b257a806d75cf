// SPDX-License-Identifier: Apache-2.0
import CADBC
import PluginABI
import Synchronization

/// One database of a driver, which its connections share; closed with the last of them.
///
/// Safety: the driver's functions for a database are called with the mutex held, one at a time.
final class ADBCDatabase: @unchecked Sendable {  // Safety: called under the mutex
    let caller: ADBCCaller
    let settings: ADBCSettings
    private let handle: UnsafeMutablePointer<AdbcDatabase>
    private let turn = Mutex(())

    /// - Throws: ``PluginError``.
    init(_ settings: ADBCSettings, secret: (String) -> String?) throws {
        let driver = try ADBCDriver.load(settings.driver)
        var options: [ADBCSettings.Option] = []
        var secrets: [String] = []
        func add(_ name: String, _ value: String, isSecret: Bool = false) {
            options.append((name, value))
            if isSecret { secrets += Self.parts(of: value) }
        }
        if let uri = secret(ADBC_OPTION_URI) {
            add(ADBC_OPTION_URI, uri, isSecret: true)
        } else if !settings.uri.isEmpty {
            add(ADBC_OPTION_URI, settings.uri)
        }
        if !settings.user.isEmpty { add(ADBC_OPTION_USERNAME, settings.user) }
        if let password = secret(ADBC_OPTION_PASSWORD) { add(ADBC_OPTION_PASSWORD, password, isSecret: true) }
        for (name, value) in settings.databaseOptions { add(name, value) }
        for name in settings.secretOptions {
            guard let value = secret(name) else {
                throw PluginError(.invalid, "the option \(name) is listed in secretOptions, and no such secret is set")
            }
            add(name, value, isSecret: true)
        }
        let caller = ADBCCaller(driver: driver, secrets: secrets)
        self.caller = caller
        self.settings = settings
        let place = UnsafeMutablePointer<AdbcDatabase>.allocate(capacity: 1)
        place.initialize(to: AdbcDatabase(private_data: nil, private_driver: driver.table))
        handle = place
        do {
            try caller.call("opening the database") { caller.table.DatabaseNew?(place, $0) }
        } catch {
            place.deallocate()
            throw error
        }
        // From here on deinit releases it.
        for (name, value) in options {
            try caller.call("setting the database option \(name)") {
                caller.table.DatabaseSetOption?(place, name, value, $0)
            }
        }
        try caller.call("opening the database") { caller.table.DatabaseInit?(place, $0) }
    }

    deinit {
        var error = AdbcError()
        _ = caller.table.DatabaseRelease?(handle, &error)
        let release = error.release
        release?(&error)
        handle.deallocate()
    }

    /// A secret, and the password of a URI that is one: a driver may repeat either.
    private static func parts(of secret: String) -> [String] {
        guard secret.utf8.count > 2 else { return [] }
        guard secret.contains("://"), let at = secret.lastIndex(of: "@") else { return [secret] }
        let login = secret[..<at].split(separator: "/").last ?? ""
        let password = login.drop { $0 != ":" }.dropFirst()
        return [secret] + (password.utf8.count > 2 ? [String(password)] : [])
    }

    /// - Throws: ``PluginError``.
    func connect() throws -> SQLOpened {
        let place = UnsafeMutablePointer<AdbcConnection>.allocate(capacity: 1)
        place.initialize(to: AdbcConnection(private_data: nil, private_driver: caller.driver.table))
        do {
            try turn.withLock { _ in try open(place) }
        } catch {
            place.deallocate()
            throw error
        }
        let connection = ADBCConnection(self, place)
        return SQLOpened(connection: connection, interrupter: connection.interrupter)
    }

    private func open(_ place: UnsafeMutablePointer<AdbcConnection>) throws {
        try caller.call("connecting") { caller.table.ConnectionNew?(place, $0) }
        do {
            for (name, value) in settings.connectionOptions {
                try caller.call("setting the connection option \(name)") {
                    caller.table.ConnectionSetOption?(place, name, value, $0)
                }
            }
            try caller.call("connecting") { caller.table.ConnectionInit?(place, handle, $0) }
            guard settings.isReadOnly else { return }
            _ = try caller.attempt("limiting the connection to reading") {
                caller.table.ConnectionSetOption?(
                    place, ADBC_CONNECTION_OPTION_READ_ONLY, ADBC_OPTION_VALUE_ENABLED, $0)
            }
        } catch {
            release(place)
            throw error
        }
    }

    func release(_ connection: UnsafeMutablePointer<AdbcConnection>) {
        var error = AdbcError()
        _ = caller.table.ConnectionRelease?(connection, &error)
        let release = error.release
        release?(&error)
    }

    func close(_ connection: UnsafeMutablePointer<AdbcConnection>) {
        turn.withLock { _ in release(connection) }
        connection.deallocate()
    }
}

/// Makes connections of one data source to its database, which it opens when the first is wanted.
final class ADBCConnector: Sendable {
    private let settings: ADBCSettings
    private let secret: @Sendable (String) -> String?
    private let database = Mutex<ADBCDatabase?>(nil)

    init(_ settings: ADBCSettings, secret: @escaping @Sendable (String) -> String?) {
        self.settings = settings
        self.secret = secret
    }

    /// Blocks while the driver connects.
    ///
    /// - Throws: ``PluginError``.
    func connect() throws -> SQLOpened {
        let database = try database.withLock { database in
            if let database { return database }
            let opened = try ADBCDatabase(settings, secret: secret)
            database = opened
            return opened
        }
        return try database.connect()
    }
}
