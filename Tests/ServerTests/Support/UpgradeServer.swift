// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization
import TestSupport

/// A server on threads that takes the handshake of a WebSocket, greets, and sends back what it gets in upper case, frames
/// or not; after `quit` it ends.
final class UpgradeServer: Sendable {
    var port: Int { listener.port }
    private let listener: LoopbackListener
    private let answer: String
    private let state = Mutex<(heads: [String], open: Int)>(([], 0))

    /// - Parameter answer: What every handshake gets before the connection ends; nil: it is accepted.
    init(answer: String? = nil) throws {
        listener = try LoopbackListener()
        self.answer = answer ?? ""
        let accepts = answer == nil
        listener.start { [weak self] client in
            guard let self else {
                close(client)
                return
            }
            Thread.detachNewThread { self.serve(client, accepts: accepts) }
        }
    }

    deinit { listener.end() }

    /// The handshakes so far.
    var heads: [String] { state.withLock { $0.heads } }
    /// The connections that have not ended.
    var openCount: Int { state.withLock { $0.open } }

    private func serve(_ client: Int32, accepts: Bool) {
        state.withLock { $0.open += 1 }
        defer {
            close(client)
            state.withLock { $0.open -= 1 }
        }
        var head = ""
        while !head.hasSuffix("\r\n\r\n") {
            guard let part = Self.read(client) else { return }
            head += String(decoding: part, as: UTF8.self)
        }
        state.withLock { $0.heads.append(head) }
        guard accepts else { return Self.write(client, Array(answer.utf8)) }
        Self.write(
            client,
            Array(
                ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: a=b\r\n"
                    + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\ngreeting").utf8))
        while let part = Self.read(client) {
            Self.write(client, part.map { (97...122).contains($0) ? $0 - 32 : $0 })
            if part == Array("quit".utf8) { return }
        }
    }

    private static func read(_ client: Int32) -> [UInt8]? {
        var part = [UInt8](repeating: 0, count: 65_536)
        let count = recv(client, &part, part.count, 0)
        return count > 0 ? Array(part[..<count]) : nil
    }

    private static func write(_ client: Int32, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
