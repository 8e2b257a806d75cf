// SPDX-License-Identifier: Apache-2.0
import CQuarantine
import Foundation
import Glibc
import NIOCore

/// The socket that connections arrive at: a new one, or the one that this process had before it began anew.
///
/// Its address is known under the name that the settings give it, so that clients who wait at it are answered by the
/// image of the server that comes after a crash.
struct ListeningSocket: Sendable {
    let descriptor: Int32
    private let path: String?

    /// Connections that may wait to be accepted.
    static let backlog: Int32 = 1_024

    /// Listens at an address.
    ///
    /// - Throws: `IOError`, or what NIO says of a host that has no address.
    init(_ address: GrafanaServer.Address) throws {
        let name: String
        switch address {
        case .tcp(let host, let port):
            name = "tcp:\(host):\(port)"
            path = nil
        case .unixSocket(let path):
            name = "unix:\(path)"
            self.path = path
        }
        let inherited = quarantine_inherited(name)
        descriptor = inherited >= 0 ? inherited : try Self.bound(address)
        _ = quarantine_listens(name, descriptor)
    }

    private static func bound(_ address: GrafanaServer.Address) throws -> Int32 {
        let target: SocketAddress
        switch address {
        case .tcp(let host, let port):
            target = try .makeAddressResolvingHost(host.isEmpty ? "0.0.0.0" : host, port: port)
        case .unixSocket(let path):
            target = try SocketAddress(unixDomainSocketPath: path)
            try removeSocket(path)
        }
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let descriptor = socket(Int32(target.protocol.rawValue), Int32(kind), 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let status = target.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        guard status == 0, listen(descriptor, backlog) == 0 else {
            let number = errno
            close(descriptor)
            throw IOError(errnoCode: number, reason: "bind")
        }
        return descriptor
    }

    /// A socket that a server before left behind is removed; anything else that lies there stays.
    private static func removeSocket(_ path: String) throws {
        guard let facts = try? FileManager.default.attributesOfItem(atPath: path) else { return }
        guard facts[.type] as? FileAttributeType == .typeSocket else {
            throw IOError(errnoCode: EEXIST, reason: "'\(path)'")
        }
        guard unlink(path) == 0 else { throw IOError(errnoCode: errno, reason: "unlink") }
    }

    /// Nobody shall find the socket any more; whoever serves it closes it.
    func retire() {
        quarantine_closes(descriptor)
        if let path { unlink(path) }
    }
}
