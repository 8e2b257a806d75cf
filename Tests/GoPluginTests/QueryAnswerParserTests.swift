// SPDX-License-Identifier: Apache-2.0
import Foundation
import GoPlugin
import PluginABI
import SwiftProtobuf
import Testing

struct QueryAnswerParserTests {
    static let answered = Fixtures.calls.filter { $0.method == "QueryData" && $0.grpcCode == "OK" }

    @Test(arguments: answered, [1, 7, 4_096])
    func recordedAnswersAreReadAsProtobufReadsThem(_ call: Fixtures.Call, _ size: Int) throws {
        for message in try call.responses() {
            let answers = try Self.parse(message, pieces: size)
            let expected = try Pluginv2_QueryDataResponse(serializedBytes: message).responses
            #expect(Set(answers.map(\.refID)) == Set(expected.keys))
            for answer in answers {
                let response = try #require(expected[answer.refID])
                #expect(answer.frames.map { Array($0.bytes) } == response.frames.map { Array($0) })
                #expect(answer.error == response.error)
                #expect(answer.status == Int(response.status))
                #expect(answer.errorSource == response.errorSource)
                #expect(answer.isJSON == (response.format == .json))
                for frame in answer.frames { #expect(Int(bitPattern: frame.pointer) % 64 == 0) }
            }
        }
    }

    @Test func cutOffAnswersAreRefusedEverywhere() throws {
        let message = try #require(try Self.answered.first { $0.name == "query_tiny" }?.responses().first)
        for length in stride(from: 1, to: message.count, by: 3) {
            var parser = QueryAnswerParser(length: message.count)
            try message[..<length].withUnsafeBytes { try parser.feed($0) }
            #expect(throws: GRPCStatus.self) { try parser.finish() }
        }
    }

    @Test(
        arguments: [
            [0x0a, 0x05, 0x0a, 0x7f], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0f], [0x00, 0x00],
            [0x0a, 0x03, 0x12, 0x02, 0x0a], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
            [0x0a, 0x04, 0x12, 0x02, 0x0a, 0x01],
        ] as [[UInt8]])
    func nonsenseIsRefused(_ bytes: [UInt8]) {
        #expect(throws: GRPCStatus.self) { try Self.parse(bytes, pieces: 1) }
    }

    @Test("What is two bytes on the wire and many in memory is bounded", arguments: [4_096, 4_097])
    func emptyAnswersAreCounted(_ count: Int) throws {
        let message = Array(repeatElement([0x0a, 0x00] as [UInt8], count: count).joined())
        if count > 4_096 {
            #expect(throws: GRPCStatus.self) { try Self.parse(message, pieces: 4_096) }
        } else {
            let answers = try Self.parse(message, pieces: 4_096)
            #expect(answers.count == count)
        }
    }

    @Test(arguments: [65_536, 65_537]) func emptyFramesAreCounted(_ count: Int) throws {
        func length(_ value: Int) -> [UInt8] {
            [UInt8(value & 127 | 128), UInt8(value >> 7 & 127 | 128), UInt8(value >> 14)]
        }
        let frames = Array(repeatElement([0x0a, 0x00] as [UInt8], count: count).joined())
        let entry = [0x12] + length(frames.count) + frames
        let message = [0x0a] + length(entry.count) + entry
        if count > 65_536 {
            #expect(throws: GRPCStatus.self) { try Self.parse(message, pieces: 4_096) }
        } else {
            let answers = try Self.parse(message, pieces: 4_096)
            #expect(answers.first?.frames.count == count)
        }
    }

    @Test func unknownFieldsAreSkipped() throws {
        // A key after its value, and fields of every wire type that this version does not know.
        let response: [UInt8] = [0x20, 0xc8, 0x01, 0x7a, 0x01, 0x09, 0x79] + [UInt8](repeating: 0, count: 8)
        let entry = [0x12, UInt8(response.count)] + response + [0x0a, 0x01, 0x41]
        let answers = try Self.parse([0x0a, UInt8(entry.count)] + entry + [0x15, 1, 2, 3, 4], pieces: 1)

        #expect(answers.map(\.refID) == ["A"])
        #expect(answers.first?.status == 200)
    }

    static func parse(_ message: [UInt8], pieces: Int) throws -> [QueryAnswer] {
        var parser = QueryAnswerParser(length: message.count)
        for start in stride(from: 0, to: message.count, by: pieces) {
            try message[start..<min(start + pieces, message.count)].withUnsafeBytes { try parser.feed($0) }
        }
        return try parser.finish()
    }
}
