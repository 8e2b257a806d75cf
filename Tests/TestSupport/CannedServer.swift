// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization

/// A server on the loopback address that gives every request the same JSON, and keeps the heads of all requests.
package final class CannedServer: Sendable {
    package let port: Int
    private let descriptor: Int32
    private let heads = Mutex<[String]>([])

    /// Begins to listen.
    package init(body: String) throws {
        (descriptor, port) = try LoopbackSocket.bound()
        guard listen(descriptor, 16) == 0 else { throw RealServerError("cannot listen: errno \(errno)") }
        let answer = Array(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                .utf8)
        let descriptor = descriptor
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0, let self else { return }
                self.serve(connection, answer)
            }
        }
    }

    /// The heads of the requests so far.
    package var requests: [String] { heads.withLock { $0 } }

    package func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { Glibc.close(descriptor) }

    /// Answers requests without a body until the client leaves.
    private func serve(_ descriptor: Int32, _ answer: [UInt8]) {
        let connection = LoopbackConnection(accepted: descriptor)
        while let head = try? connection.readText(until: "\r\n\r\n"), !head.isEmpty {
            heads.withLock { $0.append(head) }
            guard connection.send(answer) else { return }
        }
    }
}
