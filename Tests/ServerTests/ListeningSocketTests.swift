// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import Testing

@testable import Server

/// The server's own sockets.
struct ListeningSocketTests {
    @Test func aSocketIsAtTheAddressAndHiddenFromPrograms() throws {
        let socket = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        defer { close(socket.descriptor) }
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)

        #expect(getsockopt(socket.descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0)
        #expect(isListening == 1)
        #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        socket.retire()
    }

    @Test func anAddressThatIsTakenIsAnError() throws {
        let first = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        defer { close(first.descriptor) }
        first.retire()
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(first.descriptor, $0, &size) }
        }
        let port = Int(UInt16(bigEndian: address.sin_port))

        let error = #expect(throws: IOError.self) { try ListeningSocket(.tcp(host: "127.0.0.1", port: port)) }
        #expect(error?.errnoCode == EADDRINUSE)
    }

    @Test func aSocketFileIsReplacedAndRemovedButNothingElseIs() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "sockets-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "s").path

        let first = try ListeningSocket(.unixSocket(path: path))
        let second = try ListeningSocket(.unixSocket(path: path))
        second.retire()
        for socket in [first, second] { close(socket.descriptor) }
        #expect(!FileManager.default.fileExists(atPath: path))
        first.retire()

        try "mine".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: IOError.self) { try ListeningSocket(.unixSocket(path: path)) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
    }

    @Test func datesAreThoseOfTheStandard() {
        #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
