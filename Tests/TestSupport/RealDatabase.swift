// SPDX-License-Identifier: Apache-2.0
package import Foundation
import Glibc
import Synchronization

/// A database server from a package of the system, on loopback, with a data folder of its own.
package struct RealDatabase: Sendable {
    package let program: LeashedProgram
    package let port: Int
    package let folder: URL
    /// The certificates that the server and its clients have.
    package let certificates: TestCertificates

    /// The folder of the Unix socket, or its path.
    package let socket: String
    package static let user = "grafana"
    package static let password = "s3cret 'quoted\" word"

    /// Kills the server and removes its files.
    package func end() {
        program.end()
        try? FileManager.default.removeItem(at: folder)
    }

    /// The servers that all tests of the process share; they die with it.
    private static let shared = Mutex<[String: Task<RealDatabase, any Error>]>([:])

    private static func shared(
        _ name: String, _ start: @escaping @Sendable () async throws -> RealDatabase
    ) async throws -> RealDatabase {
        let task = shared.withLock { tasks in
            let task = tasks[name] ?? Task { try await start() }
            tasks[name] = task
            return task
        }
        let server = try await task.value
        FolderRemoval.atExit(server.folder)
        return server
    }

    package static func postgreSQL() async throws -> RealDatabase {
        try await shared("postgresql") { try await startPostgreSQL() }
    }

    package static func mariaDB() async throws -> RealDatabase {
        try await shared("mariadb") { try await startMariaDB() }
    }

    // MARK: Starting

    /// Servers refuse to run as root: the words that make a program run as another user, who owns the folder.
    private static func dropping(to user: String, owning folder: URL) async throws -> [String] {
        guard getuid() == 0 else { return [] }
        try await run("chown", ["-R", "\(user):\(user)", folder.path])
        return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
    }

    private static func makeFolder(_ name: String) throws -> URL {
        // Short: the path of a socket has at most 107 bytes.
        let folder = URL(filePath: "/tmp/\(name)-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        chmod(folder.path, 0o755)
        return folder
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        let (status, output) = try await Tool.run(program, arguments)
        guard status == 0 else { throw RealServerError("\(program) \(arguments) failed: \(output.suffix(2000))") }
    }

    private static func start(_ words: [String], log: URL) throws -> LeashedProgram {
        try LeashedProgram(words[0], Array(words.dropFirst()), log: log)
    }

    private static func wait(for program: LeashedProgram, toSay text: String) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline, program.isRunning {
            if program.output.contains(text) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw RealServerError("the database did not become ready; it says: \(program.lastWords)")
    }

    /// Starts a PostgreSQL that nobody shares.
    package static func startPostgreSQL() async throws -> RealDatabase {
        let folder = try makeFolder("pg")
        let certificates = try await TestCertificates.make(in: folder)
        let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").sorted()
        guard let version = versions.last else { throw RealServerError("no PostgreSQL is installed") }
        let programs = "/usr/lib/postgresql/\(version)/bin"
        let passwordFile = folder.appending(path: "password")
        try password.write(to: passwordFile, atomically: true, encoding: .utf8)
        let prefix = try await dropping(to: "postgres", owning: folder)
        let data = folder.appending(path: "data")
        let initdb =
            prefix + [
                "\(programs)/initdb", "-D", data.path, "-U", user, "--auth-local=trust", "--auth-host=scram-sha-256",
                "--pwfile=\(passwordFile.path)", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            ]
        try await run(initdb[0], Array(initdb.dropFirst()))
        let access = """
            local all all trust
            hostssl all certified all cert
            host all all all scram-sha-256

            """
        let rules = data.appending(path: "pg_hba.conf")
        try Data(access.utf8).write(to: rules)
        chmod(rules.path, 0o644)
        let port = try LoopbackSocket.freePort()
        let settings = [
            "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=\(folder.path)", "fsync=off",
            "max_connections=300", "ssl=on", "ssl_cert_file=\(certificates.server.path)",
            "ssl_key_file=\(certificates.serverKey.path)", "ssl_ca_file=\(certificates.root.path)",
        ]
        let program = try start(
            prefix + ["\(programs)/postgres", "-D", data.path] + settings.flatMap { ["-c", $0] },
            log: folder.appending(path: "log"))
        try await wait(for: program, toSay: "ready to accept connections")
        return RealDatabase(
            program: program, port: port, folder: folder, certificates: certificates, socket: folder.path)
    }

    /// Starts a MariaDB that nobody shares.
    package static func startMariaDB() async throws -> RealDatabase {
        let folder = try makeFolder("my")
        let certificates = try await TestCertificates.make(in: folder)
        let escaped = password.replacing("'", with: "''")
        let users = """
            CREATE DATABASE test CHARACTER SET utf8mb4;
            CREATE USER '\(user)'@'%' IDENTIFIED BY '\(escaped)';
            GRANT ALL ON *.* TO '\(user)'@'%';
            CREATE USER 'certified'@'%' IDENTIFIED BY '\(escaped)' REQUIRE X509;
            GRANT ALL ON test.* TO 'certified'@'%';

            """
        let script = folder.appending(path: "users.sql")
        try users.write(to: script, atomically: true, encoding: .utf8)
        let prefix = try await dropping(to: "mysql", owning: folder)
        let data = folder.appending(path: "data")
        let install =
            prefix + [
                "mariadb-install-db", "--no-defaults", "--datadir=\(data.path)", "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ]
        try await run(install[0], Array(install.dropFirst()))
        let port = try LoopbackSocket.freePort()
        let socket = "\(folder.path)/my.sock"
        let program = try start(
            prefix + [
                "mariadbd", "--no-defaults", "--datadir=\(data.path)", "--port=\(port)", "--bind-address=127.0.0.1",
                "--socket=\(socket)", "--pid-file=\(folder.path)/pid", "--init-file=\(script.path)",
                "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--max-connections=300",
                "--ssl-ca=\(certificates.root.path)", "--ssl-cert=\(certificates.server.path)",
                "--ssl-key=\(certificates.serverKey.path)", "--character-set-server=utf8mb4",
            ], log: folder.appending(path: "log"))
        try await wait(for: program, toSay: "ready for connections")
        return RealDatabase(
            program: program, port: port, folder: folder, certificates: certificates, socket: socket)
    }
}

/// Removes folders when the process ends.
private enum FolderRemoval {
    private static let folders = Mutex<Set<String>>([])
    private static let isRegistered: Bool = atexit { FolderRemoval.removeAll() } == 0

    static func atExit(_ folder: URL) {
        folders.withLock { _ = $0.insert(folder.path) }
        _ = isRegistered
    }

    static func removeAll() {
        for folder in folders.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: folder) }
    }
}

/// A certificate authority of a test, a server's certificate for localhost, and one of the client `certified`.
package struct TestCertificates: Sendable {
    package let folder: URL

    package var root: URL { folder.appending(path: "ca.pem") }
    package var server: URL { folder.appending(path: "server.pem") }
    package var serverKey: URL { folder.appending(path: "server.key") }
    package var client: URL { folder.appending(path: "client.pem") }
    package var clientKey: URL { folder.appending(path: "client.key") }

    package static func text(_ file: URL) throws -> String { try String(contentsOf: file, encoding: .utf8) }

    static func make(in folder: URL) async throws -> TestCertificates {
        let script = """
            set -e; cd "$1"
            new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256"
            $new -x509 -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem
            for name in server client; do
                case $name in server) subject=localhost; extra=subjectAltName=DNS:localhost;; *)
                    subject=certified; extra=extendedKeyUsage=clientAuth;; esac
                $new -subj "/CN=$subject" -keyout $name.key -out $name.csr
                echo "$extra" > $name.ext
                openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -sha256 \\
                    -extfile $name.ext -out $name.pem
            done
            chmod 600 *.key
            """
        let (status, output) = try await Tool.run("sh", ["-c", script, "sh", folder.path])
        guard status == 0 else { throw RealServerError("openssl failed: \(output.suffix(1000))") }
        return TestCertificates(folder: folder)
    }
}
