// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization
import TestSupport

/// A server that lets everybody in and then answers as a test says: what a real database never sends.
///
/// It speaks no more of a protocol than its clients need for signing in and for their set-up.
final class FakeDatabase: Sendable {
    /// One connection, on a thread of its own.
    struct Client: Sendable {
        let descriptor: Int32

        /// Sends all bytes; false when the other side is gone.
        @discardableResult
        func send(_ bytes: [UInt8]) -> Bool {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }

        /// The next bytes, as many as asked for; nil when the other side is gone.
        func receive(_ count: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: count)
            var length = 0
            while length < count {
                let part = bytes.withUnsafeMutableBytes {
                    recv(descriptor, $0.baseAddress! + length, count - length, 0)
                }
                guard part > 0 else { return nil }
                length += part
            }
            return bytes
        }

        /// Whether the other side sends something soon or is gone.
        func hasInput(withinMilliseconds milliseconds: Int32) -> Bool {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, milliseconds) != 0
        }

        func hangUp() { shutdown(descriptor, Int32(SHUT_WR)) }

        /// Waits until the other side closes the connection, and reads nothing but what it sends.
        func waitForEnd() { while receive(1) != nil {} }
    }

    var port: Int { listener.port }
    private let listener: LoopbackListener
    private let clients = Mutex<[Int32]>([])
    private let requests = Mutex(0)
    private let closed = Mutex(0)

    /// Requests to cancel that came.
    var cancelCount: Int { requests.withLock { $0 } }
    /// Connections that the other side has ended.
    var closedCount: Int { closed.withLock { $0 } }
    var connectionCount: Int { clients.withLock { $0.count } }

    func countsCancel() { requests.withLock { $0 += 1 } }

    init(_ serve: @escaping @Sendable (FakeDatabase, Client) -> Void) throws {
        listener = try LoopbackListener()
        listener.start { [weak self] connection in
            guard let self else {
                close(connection)
                return
            }
            clients.withLock { $0.append(connection) }
            Thread.detachNewThread { [self] in
                serve(self, Client(descriptor: connection))
                Client(descriptor: connection).waitForEnd()
                closed.withLock { $0 += 1 }
            }
        }
    }

    /// Ends all connections; the threads then end by themselves.
    func end() {
        listener.end()
        for client in clients.withLock({ $0 }) { shutdown(client, Int32(SHUT_RDWR)) }
    }

    deinit {
        end()
        for client in clients.withLock({ $0 }) { close(client) }
    }
}

/// Messages of PostgreSQL's protocol.
enum PostgreSQLMessage {
    static func message(_ type: Character, _ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [type.asciiValue!]
        bytes += big(UInt32(body.count + 4))
        bytes += body
        return bytes
    }

    static func big<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    static let ready = message("Z", [UInt8(ascii: "I")])
    /// Signing in ends: no password, the key for cancelling, ready.
    static let welcome: [UInt8] = {
        var bytes = message("R", [0, 0, 0, 0])
        bytes += message("K", [0, 0, 0, 7, 0, 0, 0, 9])
        bytes += ready
        return bytes
    }()

    static func complete(_ tag: String) -> [UInt8] { message("C", Array(tag.utf8) + [0]) }

    /// The description of columns: their names, and the type of all of them.
    static func columns(_ names: [String], type: UInt32 = 25) -> [UInt8] {
        var body = big(UInt16(truncatingIfNeeded: names.count))
        for name in names {
            body += name.utf8
            body += [0, 0, 0, 0, 0, 0, 0]
            body += big(type)
            body += [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]
        }
        return message("T", body)
    }

    static func row(_ values: [[UInt8]]) -> [UInt8] {
        var body = big(UInt16(truncatingIfNeeded: values.count))
        for value in values {
            body += big(UInt32(value.count))
            body += value
        }
        return message("D", body)
    }

    /// A server that answers set-up as it should, and the statement of the user with the given bytes again and again.
    ///
    /// - Parameters:
    ///   - answer: Sent once.
    ///   - endless: Sent for ever, or until the other side is gone.
    ///   - hangsUp: Ends the line behind the answer.
    ///   - keepsCancel: A request to cancel is accepted and its connection never ended.
    static func server(
        answer: [UInt8], endless: [UInt8] = [], hangsUp: Bool = false, keepsCancel: Bool = false
    ) throws -> FakeDatabase {
        try FakeDatabase { server, client in
            guard let head = client.receive(4), let rest = client.receive(number(head) - 4) else { return }
            if number(Array(rest.prefix(4))) == 80_877_102 {
                server.countsCancel()
                if !keepsCancel { client.hangUp() }
                return
            }
            client.send(welcome)
            while let type = client.receive(1)?[0], let length = client.receive(4),
                let body = client.receive(number(length) - 4)
            {
                switch type {
                case UInt8(ascii: "Q") where isSetUp(body): client.send(complete("SET") + ready)
                case UInt8(ascii: "Q"), UInt8(ascii: "S"):
                    client.send(answer)
                    while !endless.isEmpty, client.send(endless) {}
                    if hangsUp { client.hangUp() }
                case UInt8(ascii: "X"): return
                default: continue
                }
            }
        }
    }

    private static func isSetUp(_ body: [UInt8]) -> Bool {
        ["SET ", "BEGIN", "ROLLBACK"].contains { body.starts(with: Array($0.utf8)) }
    }

    private static func number(_ bytes: [UInt8]) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
}

/// Packets of MySQL's protocol.
enum MySQLPacket {
    static func packet(_ number: UInt8, _ body: [UInt8]) -> [UInt8] {
        var bytes = [UInt8(body.count & 0xFF), UInt8(body.count >> 8 & 0xFF), UInt8(body.count >> 16), number]
        bytes += body
        return bytes
    }

    static let ok: [UInt8] = [0, 0, 0, 2, 0, 0, 0]
    static let end: [UInt8] = [0xFE, 0, 0, 2, 0]

    /// Protocol 41, secure connections, plug-ins for signing in, transactions, several results.
    private static let capabilities: UInt32 = 0x000A_A20D

    static let greeting: [UInt8] = {
        var body: [UInt8] = [10]
        body += "5.5.5-10.11.0-fake".utf8
        body += [0, 7, 0, 0, 0]
        body += "abcdefgh".utf8
        body += [0, UInt8(capabilities & 0xFF), UInt8(capabilities >> 8 & 0xFF), 45, 2, 0]
        body += [UInt8(capabilities >> 16 & 0xFF), UInt8(capabilities >> 24), 21]
        body += [UInt8](repeating: 0, count: 10)
        body += "ijklmnopqrst".utf8
        body += [0]
        body += "mysql_native_password".utf8
        body += [0]
        return body
    }()

    static func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }

    /// The definition of a column with a text.
    static func column(_ name: String, type: UInt8 = 0xFD) -> [UInt8] {
        var body = text("def")
        for part in ["", "", "", name, ""] { body += text(part) }
        body += [12, 45, 0, 0, 1, 0, 0, type, 0, 0, 0, 0, 0]
        return body
    }

    /// The head of an answer with one column of texts.
    static let oneColumn = packet(1, [1]) + packet(2, column("x")) + packet(3, end)

    /// A server that lets everybody in, answers set-up as it should, and a statement of the user as told.
    ///
    /// - Parameters:
    ///   - switching: A way to sign in that is asked for, in the place of the usual one; what comes then is given to `seen`.
    static func server(
        answer: [UInt8] = [], endless: @escaping @Sendable (Int) -> [UInt8] = { _ in [] },
        hangsUp: Bool = false, switching: String? = nil, seen: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) throws -> FakeDatabase {
        try FakeDatabase { server, client in
            client.send(packet(0, greeting))
            guard receive(client) != nil else { return }
            if let switching {
                client.send(packet(2, [0xFE] + Array((switching + "\0abcdefghijklmnopqrst\0").utf8)))
                if let (_, body) = receive(client) { seen(body) }
                client.send(packet(4, ok))
            } else {
                client.send(packet(2, ok))
            }
            while let (_, body) = receive(client) {
                guard body.first == 3 else {
                    if body.first == 1 { return }
                    client.send(packet(1, ok))
                    continue
                }
                let sql = String(decoding: body.dropFirst(), as: UTF8.self)
                if sql.hasPrefix("KILL") { server.countsCancel() }
                if ["SET", "START", "KILL"].contains(where: sql.hasPrefix) {
                    client.send(packet(1, ok))
                } else {
                    client.send(answer)
                    var number = 0
                    while true {
                        let more = endless(number)
                        number += 1
                        guard !more.isEmpty, client.send(more) else { break }
                    }
                    if hangsUp { client.hangUp() }
                }
            }
        }
    }

    private static func receive(_ client: FakeDatabase.Client) -> (number: UInt8, body: [UInt8])? {
        guard let head = client.receive(4) else { return nil }
        let count = Int(head[0]) | Int(head[1]) << 8 | Int(head[2]) << 16
        return client.receive(count).map { (head[3], $0) }
    }
}
