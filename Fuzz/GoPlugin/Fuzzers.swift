// SPDX-License-Identifier: Apache-2.0
import PluginABI
import SwiftProtobuf

/// Reads bytes as the line with which a plugin says where it listens.
@Sendable func fuzzHandshake(_ bytes: UnsafeBufferPointer<UInt8>) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let line = try? HandshakeLine(parsing: text) else { return }
    precondition(!"\(line.address)".isEmpty)
    if case .tcp(_, let port) = line.address { precondition((0...65_535).contains(port), "port \(port)") }
}

/// Reads bytes, in pieces, as what a plugin writes to its standard error.
@Sendable func fuzzLogLine(_ bytes: UnsafeBufferPointer<UInt8>) {
    var splitter = LineSplitter()
    var parser = PluginLogParser()
    var count = 0
    for piece in Pieces(bytes) {
        for line in splitter.received(piece) {
            precondition(line.text.utf8.count <= 3 * LineSplitter.limit)
            count += parser.line(line.text, isPart: line.isPart).fields.count
        }
    }
    if let last = splitter.ended() { count += parser.line(last.text, isPart: last.isPart).fields.count }
    precondition(count >= 0)
}

/// Cuts bytes into messages, with a reader that pauses now and then.
@Sendable func fuzzMessages(_ bytes: UnsafeBufferPointer<UInt8>) {
    var framing = MessageFraming(limit: 1 << 16)
    let reader = CountingReader()
    for piece in Pieces(bytes) {
        var rest = UnsafeRawBufferPointer(piece)
        while !rest.isEmpty {
            framing.isHeld = false
            guard let taken = try? framing.feed(rest, to: reader) else { return }
            precondition(taken > 0 && taken <= rest.count && (taken == rest.count || framing.isHeld))
            rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
        }
    }
    precondition(reader.isOpen == false || framing.isInMessage)
}

/// Reads bytes, in pieces, as the answer to QueryData, and its frames as Arrow files; what a reader of the whole message
/// finds has to be the same.
@Sendable func fuzzQueryAnswer(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let first = bytes.first else { return }
    let message = UnsafeBufferPointer(rebasing: bytes[1...])
    // Now and then a length that is not the message's.
    var parser = QueryAnswerParser(length: first == 255 ? message.count * 2 : message.count)
    for piece in Pieces(message) {
        do { try parser.feed(UnsafeRawBufferPointer(piece)) } catch { return }
    }
    guard let answers = try? parser.finish() else { return }
    for answer in answers {
        for frame in answer.frames {
            guard let read = try? DataFrame(arrow: frame, textLimit: 1 << 20) else { continue }
            precondition(!read.json().isEmpty)
        }
    }
    guard let whole = try? Pluginv2_QueryDataResponse(serializedBytes: Array(message)) else { return }
    precondition(Set(answers.map(\.refID)) == Set(whole.responses.keys), "other answers than protobuf reads")
}

/// Divides bytes into pieces whose sizes depend on them.
private struct Pieces: Sequence, IteratorProtocol {
    private var rest: UnsafeBufferPointer<UInt8>

    init(_ bytes: UnsafeBufferPointer<UInt8>) { rest = bytes }

    mutating func next() -> UnsafeBufferPointer<UInt8>? {
        guard let first = rest.first else { return nil }
        let count = Swift.min(rest.count, Int(first) * 3 + 1)
        defer { rest = UnsafeBufferPointer(rebasing: rest[count...]) }
        return UnsafeBufferPointer(rebasing: rest[..<count])
    }
}

/// Checks that each message has the bytes that were announced.
///
/// Safety: used by one thread.
private final class CountingReader: MessageReader, @unchecked Sendable {  // Safety: one thread
    private var announced = 0
    private var received = 0
    private var messages = 0
    private(set) var isOpen = false

    func begin(length: Int) {
        precondition(!isOpen)
        (announced, received, isOpen) = (length, 0, true)
    }

    func append(_ bytes: UnsafeRawBufferPointer) { received += bytes.count }

    func end() -> Bool {
        precondition(isOpen && received == announced)
        isOpen = false
        messages += 1
        return messages % 3 != 0
    }

    func finished(_ failure: GRPCStatus?) {}
}
