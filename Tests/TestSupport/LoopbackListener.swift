// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization

/// A listening socket on the loopback address, and the thread of a test's server that accepts on it.
///
/// The thread closes the socket itself. If another one did, the number could be that of another test's server by the next
/// `accept`, which would take a client away from that.
package final class LoopbackListener: Sendable {
    package let port: Int
    private let descriptor: Mutex<Int32>

    /// Listens on a free port; clients wait until ``start(_:)``.
    package init() throws {
        let (descriptor, port) = try LoopbackSocket.bound()
        self.descriptor = Mutex(descriptor)
        self.port = port
        guard listen(descriptor, 64) == 0 else { throw RealServerError("cannot listen: errno \(errno)") }
    }

    /// Accepts until ``end()``.
    ///
    /// - Parameter serve: Gets each connection, and closes it; runs on the thread that accepts.
    package func start(_ serve: @escaping @Sendable (Int32) -> Void) {
        let number = descriptor.withLock { $0 }
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(number, nil, nil)
                guard connection >= 0 else { return close() }
                serve(connection)
            }
        }
    }

    /// Accepts nobody any more; the thread ends by itself.
    package func end() { descriptor.withLock { if $0 >= 0 { shutdown($0, Int32(SHUT_RDWR)) } } }

    private func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    deinit { close() }
}
