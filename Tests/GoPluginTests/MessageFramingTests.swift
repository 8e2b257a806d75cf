// SPDX-License-Identifier: Apache-2.0
import GoPlugin
import Testing

struct MessageFramingTests {
    static let two: [UInt8] = [0, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0]

    @Test(arguments: 1...13)
    func messagesMayComeInPieces(_ size: Int) throws {
        var framing = MessageFraming(limit: 10)
        let reader = Collector()
        for start in stride(from: 0, to: Self.two.count, by: size) {
            let piece = Array(Self.two[start..<min(start + size, Self.two.count)])
            let taken = try piece.withUnsafeBytes { try framing.feed($0, to: reader) }
            #expect(taken == piece.count)
        }

        #expect(reader.messages == [[1, 2, 3], []])
        #expect(!framing.isInMessage)
    }

    @Test func aPauseLeavesTheRest() throws {
        var framing = MessageFraming(limit: 10)
        let reader = Collector(pauses: true)
        let taken = try Self.two.withUnsafeBytes { try framing.feed($0, to: reader) }

        #expect(taken == 8)
        #expect(framing.isHeld)
        #expect(reader.messages == [[1, 2, 3]])
    }

    @Test func compressedAndLongMessagesEndTheCall() {
        #expect(failure([1, 0, 0, 0, 1, 7])?.message.contains("compressed") == true)
        #expect(failure([9, 0, 0, 0, 1, 7])?.code == .internal)
        #expect(failure([0, 0xff, 0xff, 0xff, 0xff])?.code == .resourceExhausted)
    }

    private func failure(_ bytes: [UInt8]) -> GRPCStatus? {
        var framing = MessageFraming(limit: 10)
        let reader = Collector()
        return #expect(throws: GRPCStatus.self) { try bytes.withUnsafeBytes { try framing.feed($0, to: reader) } }
    }
}
