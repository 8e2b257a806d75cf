// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A blocking TCP connection to the loopback address, for plain HTTP and for what no HTTP client would send.
///
/// Safety: one thread at a time uses a connection.
package final class LoopbackConnection: @unchecked Sendable {
    private var descriptor: Int32
    /// Received, and not yet given out.
    private var received: [UInt8] = []

    /// Connects.
    ///
    /// - Parameters:
    ///   - receiveBuffer: Bytes that the kernel takes in before anybody reads; nil for the system's own choice.
    ///   - seconds: How long one read or write may wait.
    package init(port: Int, receiveBuffer: Int? = nil, seconds: Int = 60) throws {
        descriptor = try LoopbackSocket.make()
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        if var bytes = receiveBuffer.map({ Int32($0) }) {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        guard LoopbackSocket.connect(descriptor, port: port) else {
            // The object is whole here, so its deinit closes the descriptor.
            throw RealServerError("cannot connect to port \(port): errno \(errno)")
        }
    }

    /// Takes over the server's end of a connection.
    init(accepted descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close() }

    package func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Ends the connection with a reset.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Says that nothing more is sent.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Sends as much as the server takes; false when it closed the connection or took nothing for too long.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }

    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Receives once and keeps it.
    ///
    /// - Returns: false at the end of the connection.
    /// - Throws: ``RealServerError`` when nothing came for too long.
    private func receive() throws -> Bool {
        let room = 1 << 18
        let have = received.count
        let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            count = max(-1, recv(descriptor, buffer.baseAddress, room, 0))
            if count < 0 {
                count = 0
                if errno == EAGAIN { isTimedOut = true }
            }
        }
        if isTimedOut {
            isTimedOut = false
            throw RealServerError("nothing came in time; before it \(have) bytes")
        }
        received += piece
        return !piece.isEmpty
    }

    private var isTimedOut = false

    /// Everything until the server ends the connection.
    package func readToEnd() throws -> [UInt8] {
        while try receive() {}
        defer { received = [] }
        return received
    }

    /// Reads until the text occurs, or the connection ends; the answer holds all that came.
    package func readText(until mark: String) throws -> String {
        while position(of: mark, from: 0) == nil, try receive() {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    private func position(of mark: String, from start: Int) -> Int? {
        let mark = Array(mark.utf8)
        guard let first = mark.first else { return start }
        return received.withUnsafeBytes { bytes in
            var place = start
            while let base = bytes.baseAddress, place + mark.count <= bytes.count,
                let found = memchr(base + place, Int32(first), bytes.count - mark.count + 1 - place)
            {
                place = UnsafeRawPointer(found) - base
                if memcmp(found, mark, mark.count) == 0 { return place }
                place += 1
            }
            return nil
        }
    }
}

// MARK: - HTTP

/// An answer with its whole body.
package struct HTTPAnswer: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The values of a header; the name in lower case.
    package func values(of name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }
}

extension LoopbackConnection {
    /// The bytes of a request.
    package static func request(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil
    ) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + (body ?? [])
    }

    /// Sends a request and reads its answer; the connection stays open unless the server ends it.
    package func exchange(_ request: [UInt8]) throws -> HTTPAnswer {
        guard send(request) else { throw RealServerError("the server does not take the request: errno \(errno)") }
        return try readAnswer(hasBody: !request.starts(with: "HEAD ".utf8))
    }

    /// Reads one answer.
    package func readAnswer(hasBody: Bool = true) throws -> HTTPAnswer {
        let head = String(decoding: try take(through: "\r\n\r\n"), as: UTF8.self)
        var lines = head.split(separator: "\r\n")[...]
        guard let status = lines.popFirst()?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw RealServerError("no HTTP answer: \(head.prefix(200))")
        }
        let headers = lines.map { line -> (name: String, value: String) in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (line[..<colon].lowercased(), String(line[colon...].dropFirst().drop { $0 == " " }))
        }
        var answer = HTTPAnswer(status: status, headers: headers, body: [])
        if hasBody, status != 204, status != 304 { answer.body = try readBody(of: answer) }
        return answer
    }

    private func readBody(of answer: HTTPAnswer) throws -> [UInt8] {
        if let length = answer.values(of: "content-length").first.flatMap({ Int($0) }) { return try take(length) }
        guard answer.values(of: "transfer-encoding").contains("chunked") else { return try readToEnd() }
        var body: [UInt8] = []
        while true {
            let line = String(decoding: try take(through: "\r\n").dropLast(2), as: UTF8.self)
            guard let size = Int(line, radix: 16) else { throw RealServerError("bad chunk: \(line)") }
            body += try take(size + 2).dropLast(2)
            if size == 0 { return body }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while received.count < count {
            guard try receive() else { throw RealServerError("the answer ends \(count - received.count) bytes early") }
        }
        let taken = Array(received[..<count])
        received.removeFirst(count)
        return taken
    }

    private func take(through mark: String) throws -> [UInt8] {
        var searched = 0
        while true {
            if let place = position(of: mark, from: searched) { return try take(place + mark.utf8.count) }
            searched = max(0, received.count - mark.utf8.count)
            guard try receive() else {
                throw RealServerError("the connection ended in an answer: \(String(decoding: received, as: UTF8.self))")
            }
        }
    }
}

/// The system's calls for sockets on the loopback address.
package enum LoopbackSocket {
    static func make() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw RealServerError("no socket: errno \(errno)") }
        return descriptor
    }

    static func connect(_ descriptor: Int32, port: Int) -> Bool {
        withAddress(port: port) { Glibc.connect(descriptor, $0, $1) } == 0
    }

    /// A port that was free just now.
    package static func freePort() throws -> Int {
        let (descriptor, port) = try bound()
        Glibc.close(descriptor)
        return port
    }

    /// A socket bound to a free port, and the port.
    package static func bound() throws -> (descriptor: Int32, port: Int) {
        let descriptor = try make()
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withAddress(port: 0) { bind(descriptor, $0, $1) }
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard status == 0, named == 0 else {
            Glibc.close(descriptor)
            throw RealServerError("no free port: errno \(errno)")
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func withAddress<R>(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
