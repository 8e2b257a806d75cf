// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// A failure to run or to talk to a real server.
struct RealServerError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A program that runs for a test, listens on a loopback port, and ends with the test or with the test process.
///
/// A shell stands between: it kills the program, by its pid, as soon as its standard input closes. That happens when the
/// test ends the server, and also when the test process dies.
struct RealServer: Sendable {
    let port: Int
    private let shell: pid_t
    private let leash: Int32
    private let log: URL

    /// Starts a program that is found in PATH.
    ///
    /// - Parameter log: The file that gets what the program prints.
    init(_ program: String, _ arguments: [String], port: Int, log: URL) throws {
        var ends: [Int32] = [0, 0]
        // A socket pair, as it is close-on-exec from the start: no other child may hold the leash.
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw RealServerError("no socket pair: errno \(errno)")
        }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, log.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let script = #""$@" & child=$!; read line; kill -9 $child; wait $child"#
        var words: [UnsafeMutablePointer<CChar>?] =
            (["sh", "-c", script, "sh", program] + arguments).map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        // Threads of Swift's pool block signals; a shell that inherited this would never hear that its child ended.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var pid: pid_t = 0
        let status = posix_spawnp(&pid, "sh", &actions, &attributes, &words, environ)
        guard status == 0 else {
            close(ends[1])
            throw RealServerError("cannot start \(program): errno \(status)")
        }
        self.port = port
        shell = pid
        leash = ends[1]
        self.log = log
    }

    /// Kills the program and waits until it is gone.
    func end() {
        close(leash)
        var status: Int32 = 0
        while waitpid(shell, &status, 0) < 0, errno == EINTR {}
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// What the program printed last.
    var lastWords: String {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return String(text.suffix(2000))
    }

    /// Polls a path until it answers 200 with a body that fits.
    ///
    /// - Throws: ``RealServerError`` with the last words of the program when it takes longer than `seconds`.
    func wait(for path: String, seconds: Int = 30, until fits: ([UInt8]) -> Bool = { _ in true }) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if let answer = try? await get(path), answer.status == 200, fits(answer.body) { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        throw RealServerError("\(url)\(path) did not become ready in \(seconds) s; the program says: \(lastWords)")
    }

    /// A port of the loopback address that was free just now.
    static func freePort() throws -> Int {
        let socket = try LoopbackSocket()
        defer { socket.close() }
        return try socket.bindAnyPort()
    }
}

// MARK: - HTTP

extension RealServer {
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
    }

    func get(_ path: String) async throws -> Answer { try await send("GET", path, body: [], contentType: nil) }

    func post(_ path: String, body: [UInt8], contentType: String = "text/plain") async throws -> Answer {
        try await send("POST", path, body: body, contentType: contentType)
    }

    /// One HTTP/1.0 exchange, the simplest there is: the body ends with the connection.
    private func send(_ method: String, _ path: String, body: [UInt8], contentType: String?) async throws -> Answer {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try Self.exchange(port, "\(method) \(path)", body: body, contentType: contentType)
                    })
            }
        }
    }

    private static func exchange(_ port: Int, _ line: String, body: [UInt8], contentType: String?) throws -> Answer {
        let socket = try LoopbackSocket()
        defer { socket.close() }
        try socket.connect(to: port)
        var head = "\(line) HTTP/1.0\r\nHost: 127.0.0.1:\(port)\r\n"
        if let contentType { head += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n" }
        try socket.write(Array((head + "\r\n").utf8) + body)
        let answer = try socket.readToEnd()
        guard let end = answer.firstRange(of: Array("\r\n\r\n".utf8)) else { throw RealServerError("no HTTP answer") }
        let status = String(decoding: answer[..<end.lowerBound], as: UTF8.self).split(separator: " ").dropFirst().first
        return Answer(status: status.flatMap { Int($0) } ?? 0, body: Array(answer[end.upperBound...]))
    }
}

/// A blocking TCP socket on the loopback address.
private struct LoopbackSocket {
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw RealServerError("no socket: errno \(errno)") }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func close() { Glibc.close(descriptor) }

    func bindAnyPort() throws -> Int {
        var address = Self.address(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, size) == 0 ? getsockname(descriptor, generic, &size) : -1
            }
        }
        guard status == 0 else { throw RealServerError("no free port: errno \(errno)") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    func connect(to port: Int) throws {
        var address = Self.address(port: port)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw RealServerError("cannot connect to port \(port): errno \(errno)") }
    }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw RealServerError("cannot write: errno \(errno)") }
            sent += count
        }
    }

    func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count >= 0 else { throw RealServerError("cannot read: errno \(errno)") }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: piece[..<count])
        }
    }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return address
    }
}
