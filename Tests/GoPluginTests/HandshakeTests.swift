// SPDX-License-Identifier: Apache-2.0
import GoPlugin
import Testing

struct HandshakeTests {
    @Test(arguments: Fixtures.handshakes.filter { !$0.stdoutFirstLine.isEmpty })
    func recordedLinesAreRead(_ recorded: Fixtures.Handshake) throws {
        var reader = HandshakeReader()
        let read = try reader.received(Array(recorded.stdoutFirstLine.utf8))
        let line = try #require(read)

        guard case .unix(let path) = line.address else {
            Issue.record("not a socket: \(line.address)")
            return
        }
        #expect(path.contains("/plugin"))
        #expect((line.certificate != nil) == (recorded.name == "client_cert"))
        #expect(line.isMultiplexed == recorded.stdoutFirstLine.contains("|true"))
        if let certificate = line.certificate { #expect(certificate.starts(with: [0x30, 0x82])) }
    }

    @Test(arguments: Fixtures.handshakes.filter(\.stdoutFirstLine.isEmpty))
    func anEndWithoutALineIsSaid(_ recorded: Fixtures.Handshake) {
        var reader = HandshakeReader()

        let ends = [reader.ended(), reader.ended()]
        #expect(ends == [.noLine(text: ""), nil])
    }

    @Test func fiveSixAndSevenPartsAreRead() throws {
        #expect(
            try HandshakeLine(parsing: "1|2|tcp|127.0.0.1:1234|grpc")
                == HandshakeLine(address: .tcp(host: "127.0.0.1", port: 1234)))
        #expect(try HandshakeLine(parsing: " 1|2|unix|/s|grpc| \r\n") == HandshakeLine(address: .unix(path: "/s")))
        #expect(
            try HandshakeLine(parsing: "1|2|unix|/s|grpc||true")
                == HandshakeLine(address: .unix(path: "/s"), isMultiplexed: true))
        #expect(
            try HandshakeLine(parsing: "1|2|tcp|[::1]:9|grpc|") == HandshakeLine(address: .tcp(host: "::1", port: 9)))
        #expect(try HandshakeLine(parsing: "1|2|unix|/s|grpc|short").certificate == nil)
    }

    @Test(arguments: [
        ("", "not a handshake"), ("hello world", "not a handshake"), ("1|2|unix", "not a handshake"),
        ("2|2|unix|/s|grpc|", "version '2' of the go-plugin protocol"),
        ("1|1|unix|/s|grpc|", "version '1' of the plugin protocol"),
        ("x|2|unix|/s|grpc|", "version 'x'"), ("1|2|udp|/s|grpc|", "unknown type 'udp'"),
        ("1|2|unix||grpc|", "not the path of a socket"), ("1|2|tcp|nowhere|grpc|", "not host:port"),
        ("1|2|tcp|h:70000|grpc|", "not host:port"), ("1|2|unix|/s|netrpc|", "'netrpc' and not grpc"),
        ("1|2|unix|/s", "'netrpc' and not grpc"),
        ("1|2|unix|/s|grpc|" + String(repeating: "!", count: 60), "not base64"),
        ("1|2|unix|/" + String(repeating: "x", count: 120) + "|grpc|", "not the path of a socket"),
    ])
    func otherLinesAreRefusedInWords(_ line: String, _ words: String) {
        let error = #expect(throws: HandshakeError.self) { try HandshakeLine(parsing: line) }

        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func aLineMayComeByteByByte() throws {
        var reader = HandshakeReader()
        var found: HandshakeLine?
        for byte in "1|2|unix|/s|grpc|\nprinted later\n".utf8 {
            if let line = try reader.received([byte]) {
                #expect(found == nil)
                found = line
            }
        }

        #expect(found?.address == .unix(path: "/s"))
        let end = reader.ended()
        #expect(end == nil)
    }

    @Test func aHugeLineEndsTheStart() {
        var reader = HandshakeReader()

        #expect(throws: HandshakeError.tooLong(limit: 65_536)) {
            for _ in 0..<100 { _ = try reader.received([UInt8](repeating: 65, count: 1_024)) }
        }
    }
}
