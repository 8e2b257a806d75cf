// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization
import TestSupport

/// An HTTP server on the loopback interface that answers with whatever bytes a test gives it, good or bad.
final class RawAnswerServer: Sendable {
    /// What the next request gets.
    enum Reply: Sendable {
        case bytes([UInt8])
        /// Nothing, and the connection stays open.
        case silence
    }

    var port: Int { listener.port }
    private let listener: LoopbackListener
    private let reply: Mutex<Reply>
    private let heads = Mutex<[String]>([])
    private let held = Mutex<[Int32]>([])

    init(_ reply: Reply) throws {
        listener = try LoopbackListener()
        self.reply = Mutex(reply)
        listener.start { [weak self] client in
            guard let self else {
                close(client)
                return
            }
            answer(client)
        }
    }

    deinit {
        listener.end()
        for client in held.withLock({ $0 }) { close(client) }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// The heads of the requests so far.
    var requests: [String] { heads.withLock { $0 } }

    func reply(with next: Reply) { reply.withLock { $0 = next } }

    /// A whole answer with a JSON body.
    static func json(_ body: String, status: String = "200 OK", headers: String = "") -> Reply {
        .bytes(
            Array(
                "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
                    .utf8))
    }

    private func answer(_ client: Int32) {
        var head: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            let count = recv(client, &part, part.count, 0)
            guard count > 0 else { break }
            head += part[..<count]
        }
        heads.withLock { $0.append(String(decoding: head, as: UTF8.self)) }
        switch reply.withLock({ $0 }) {
        case .silence: held.withLock { $0.append(client) }
        case .bytes(let bytes):
            _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            close(client)
        }
    }
}
