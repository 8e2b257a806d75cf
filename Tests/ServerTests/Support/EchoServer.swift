// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestSupport

/// An HTTP server on a thread that answers each request with the request's own text.
final class EchoServer: Sendable {
    var port: Int { listener.port }
    private let listener: LoopbackListener

    init(status: String = "200 OK") throws {
        listener = try LoopbackListener()
        listener.start { client in
            Self.answer(client, status)
            close(client)
        }
    }

    deinit { listener.end() }

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
