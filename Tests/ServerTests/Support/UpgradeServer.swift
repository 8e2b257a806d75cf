// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization

/// A server on threads that takes the handshake of a WebSocket, greets, and sends back what it gets in upper case, frames
/// or not; after `quit` it ends.
final class UpgradeServer: Sendable {
    let port: Int
    private let listener: Int32
    private let answer: String
    private let state = Mutex<(heads: [String], open: Int)>(([], 0))

    /// - Parameter answer: What every handshake gets before the connection ends; nil: it is accepted.
    init(answer: String? = nil) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard isBound else { throw RawConnection.Failure(text: "bind: \(errno)") }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        self.answer = answer ?? ""
        let accepts = answer == nil
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { return }
                Thread.detachNewThread { self.serve(client, accepts: accepts) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

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
