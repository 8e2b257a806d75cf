// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization

/// A server on the loopback address that gives every request the same JSON, and keeps the heads of all requests.
package final class CannedServer: Sendable {
    package var port: Int { listener.port }
    private let listener: LoopbackListener
    private let heads = Mutex<[String]>([])

    /// Begins to listen.
    package init(body: String) throws {
        listener = try LoopbackListener()
        let answer = Array(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                .utf8)
        listener.start { [weak self] connection in
            guard let self else {
                Glibc.close(connection)
                return
            }
            serve(connection, answer)
        }
    }

    /// The heads of the requests so far.
    package var requests: [String] { heads.withLock { $0 } }

    package func close() { listener.end() }

    deinit { close() }

    /// Answers requests without a body until the client leaves.
    private func serve(_ descriptor: Int32, _ answer: [UInt8]) {
        let connection = LoopbackConnection(accepted: descriptor)
        while let head = try? connection.readText(until: "\r\n\r\n"), !head.isEmpty {
            heads.withLock { $0.append(head) }
            guard connection.send(answer) else { return }
        }
    }
}
