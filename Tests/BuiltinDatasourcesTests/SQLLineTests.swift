// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing

@testable import BuiltinDatasources

/// The line of a connection, whose descriptor belongs to a library.
struct SQLLineTests {
    /// Two connected sockets.
    private static func pair() throws -> (here: Int32, there: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    /// Whether the other side has ended the connection.
    private static func hasEnded(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT)) == 0
    }

    @Test func cutsItsOwnConnectionWhateverTheNumberNamesNow() throws {
        let (library, server) = try Self.pair()
        let (other, its) = try Self.pair()
        defer { for descriptor in [library, server, other, its] { Glibc.close(descriptor) } }
        let line = try SQLLine(library)

        // As if the library had closed its descriptor, and somebody else had got the number.
        try #require(dup2(other, library) == library)
        line.cut()

        #expect(Self.hasEnded(server))
        #expect(!Self.hasEnded(its))
    }

    @Test func endsWithTheLibrarysDescriptorOnceItIsClosed() throws {
        let (library, server) = try Self.pair()
        defer { Glibc.close(server) }
        let line = try SQLLine(library)

        line.close()
        #expect(!Self.hasEnded(server))
        line.cut()
        #expect(!Self.hasEnded(server))
        Glibc.close(library)

        #expect(Self.hasEnded(server))
        #expect(line.descriptor == -1)
    }

    @Test func isRefusedWithoutADescriptor() {
        #expect(throws: (any Error).self) { try SQLLine(-1) }
    }
}
