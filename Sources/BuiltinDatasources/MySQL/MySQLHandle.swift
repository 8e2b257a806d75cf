// SPDX-License-Identifier: Apache-2.0
import CMariaDB
import Glibc
import PluginABI

/// Calls of the library that talk to a server, in steps that do not wait.
enum MySQLHandle {
    /// The library's own set-up, once a process.
    private static let isSetUp: Bool = mysql_server_init(0, nil, nil) == 0

    /// The library runs each of its calls on a stack of this size; looking up names and TLS need more than its default.
    private static let stackBytes = 512 << 10

    /// Ways to sign in that do not show the password to whoever listens.
    private static let safeMethods =
        "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password"
    /// Ways that do, for PAM and LDAP.
    private static let clearMethods = "mysql_clear_password,dialog"

    /// Connects and signs in.
    ///
    /// - Returns: A handle that the caller closes.
    /// - Throws: ``PluginError``, without the password in any text.
    static func connect(
        _ settings: MySQLSettings, _ secret: (String) -> String?, withinMilliseconds milliseconds: Int
    ) throws -> UnsafeMutablePointer<MYSQL> {
        guard isSetUp, let handle = mysql_init(nil) else {
            throw PluginError(.noMemory, "no memory for a connection", source: .host)
        }
        do {
            let certificates = try settings.certificates(secret)
            setOptions(handle, settings, certificates)
            try withExtendedLifetime(certificates) {
                try connect(handle, settings, password: secret("password") ?? "", milliseconds)
            }
            return handle
        } catch {
            mysql_close(handle)
            throw error
        }
    }

    private static func connect(
        _ handle: UnsafeMutablePointer<MYSQL>, _ settings: MySQLSettings, password: String, _ milliseconds: Int
    ) throws {
        let isSocket = settings.address.host.hasPrefix("/")
        // The library keeps the pointers from step to step.
        let texts = [settings.address.host, settings.user, password, settings.database].map { (text: String) in
            strdup(text)
        }
        defer {
            // One of them is the password.
            for text in texts {
                if let text { memset(text, 0, strlen(text)) }
                free(text)
            }
        }
        let end = SQLClock.now + UInt64(milliseconds) * 1_000_000
        var connected: UnsafeMutablePointer<MYSQL>?
        var status = mysql_real_connect_start(
            &connected, handle, isSocket ? nil : texts[0], texts[1], texts[2],
            settings.database.isEmpty ? nil : texts[3], UInt32(settings.address.port ?? 3306),
            isSocket ? texts[0] : nil, 0)
        var failure: (any Error)?
        while status != 0 {
            // Several addresses of a name are tried one after the other, each with a socket of its own.
            let descriptor = Int32(mysql_get_socket(handle))
            var ready = status
            do {
                let line = try SQLLine(descriptor)
                var wait = SQLWait(line)
                wait.deadline = end
                // A line that was cut ends the call in the next step.
                ready = (try? step(status, &wait, atMost: SQLWait.maximumRowBytes)) ?? status
            } catch {
                failure = error
                shutdown(descriptor, Int32(SHUT_RDWR))
            }
            status = mysql_real_connect_cont(&connected, handle, ready)
        }
        if let failure { throw failure }
        guard connected != nil else { throw MySQLFailure.connection(handle) }
    }

    private static func setOptions(
        _ handle: UnsafeMutablePointer<MYSQL>, _ settings: MySQLSettings, _ certificates: SQLCertificates
    ) {
        func set<Value>(_ option: mysql_option, _ value: Value) {
            withUnsafePointer(to: value) { _ = mysql_options(handle, option, $0) }
        }
        set(MYSQL_OPT_NONBLOCK, stackBytes)
        set(MYSQL_OPT_CONNECT_TIMEOUT, UInt32(SQLWait.setUpMilliseconds / 1000))
        set(MYSQL_OPT_MAX_ALLOWED_PACKET, SQLWait.maximumRowBytes)
        // A server must not ask for files of this one.
        set(MYSQL_OPT_LOCAL_INFILE, UInt32(0))
        set(MYSQL_OPT_PROTOCOL, settings.address.host.hasPrefix("/") ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP)
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        // The server chooses the way to sign in: those that show it the password need both the setting and TLS.
        let mayShow = settings.allowsCleartextPasswords && settings.usesTLS
        mysql_options(
            handle, MARIADB_OPT_RESTRICTED_AUTH, mayShow ? safeMethods + "," + clearMethods : safeMethods)
        guard settings.usesTLS else { return }
        func path(_ text: String) -> String? { text.isEmpty ? nil : text }
        mysql_ssl_set(
            handle, path(certificates.key), path(certificates.certificate), path(certificates.root), nil, nil)
        set(MYSQL_OPT_SSL_ENFORCE, CChar(1))
        set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, CChar(settings.skipsVerification ? 0 : 1))
    }

    /// The names and types of 4096 columns, the most that a table has, are a megabyte.
    private static let headBytes = 4 << 20

    // MARK: Steps

    /// Runs a call to its end.
    ///
    /// - Parameters:
    ///   - start: Begins the call; 0 when it has ended, else what it waits for.
    ///   - next: Goes on with it.
    /// - Throws: ``PluginError`` when the other side takes too long or sends too much.
    static func run(
        _ handle: UnsafeMutablePointer<MYSQL>, _ wait: inout SQLWait, atMost limit: Int = SQLWait.maximumRowBytes,
        _ start: () -> Int32, _ next: (Int32) -> Int32
    ) throws {
        var status = start()
        var failure: (any Error)?
        while status != 0 {
            do {
                status = next(try step(status, &wait, atMost: limit))
            } catch {
                // The line is cut, and the call must still be run to its end, which then comes at once.
                failure = failure ?? error
                status = next(status)
            }
        }
        if let failure { throw failure }
    }

    /// Waits for what a call waits for.
    private static func step(_ status: Int32, _ wait: inout SQLWait, atMost limit: Int) throws -> Int32 {
        var events: Int32 = 0
        if status & Int32(MYSQL_WAIT_READ) != 0 { events |= POLLIN }
        if status & Int32(MYSQL_WAIT_WRITE) != 0 { events |= POLLOUT }
        if status & Int32(MYSQL_WAIT_EXCEPT) != 0 { events |= POLLPRI }
        let ready = Int32(try wait.wait(for: Int16(events)))
        var result: Int32 = 0
        if ready & POLLIN != 0 {
            try wait.count(atMost: limit)
            result |= Int32(MYSQL_WAIT_READ)
        }
        if ready & POLLOUT != 0 { result |= Int32(MYSQL_WAIT_WRITE) }
        if ready & POLLPRI != 0 { result |= Int32(MYSQL_WAIT_EXCEPT) }
        return result
    }

    /// Sends a statement and waits for the beginning of its answer.
    ///
    /// The library collects the names of the columns before it gives any, so these have a bound of their own.
    static func execute(_ sql: String, _ handle: UnsafeMutablePointer<MYSQL>, _ wait: inout SQLWait) throws {
        wait.hasProgressed()
        var sql = sql
        var status: Int32 = 0
        try sql.withUTF8 { bytes in
            try bytes.withMemoryRebound(to: CChar.self) { text in
                try run(
                    handle, &wait, atMost: headBytes,
                    { mysql_real_query_start(&status, handle, text.baseAddress, UInt(text.count)) },
                    { mysql_real_query_cont(&status, handle, $0) })
            }
        }
        guard status == 0 else { throw MySQLFailure.statement(handle) }
    }
}
