// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// An HTTP server on a thread that answers each request with the request's own text.
final class EchoServer: Sendable {
    let port: Int
    private let listener: Int32

    init(status: String = "200 OK") throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, address, &size) == 0
            }
        }
        guard bound else { throw RawConnection.Failure(text: "bind: \(errno)") }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Self.answer(client, status)
                close(client)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private static func answer(_ client: Int32, _ status: String) {
        var request: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while !isWhole(request) {
            let count = recv(client, &part, part.count, 0)
            guard count > 0 else { break }
            request += part[..<count]
        }
        let head =
            "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\nSet-Cookie: a=b\r\nContent-Length: \(request.count)\r\n"
            + "Connection: close\r\n\r\n"
        let answer = Array(head.utf8) + request
        _ = answer.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    private static func isWhole(_ request: [UInt8]) -> Bool {
        let text = String(decoding: request, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return false }
        let head = text[..<end.lowerBound].lowercased()
        guard let length = head.range(of: "content-length: ") else { return true }
        let wanted = Int(head[length.upperBound...].prefix { $0.isNumber }) ?? 0
        return text[end.upperBound...].utf8.count >= wanted
    }
}
