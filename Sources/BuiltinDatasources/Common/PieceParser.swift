// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A reader of a JSON document that arrives in pieces of any size.
protocol PieceParser: Sendable {
    var tokenizer: JSONTokenizer { get set }
    /// The bytes of a token that is not complete yet.
    var unread: [UInt8] { get set }

    /// Reads the tokens that are complete in `bytes`.
    ///
    /// - Returns: The number of bytes that were read; the rest comes again with more behind it.
    mutating func parse(_ bytes: Span<UInt8>) throws -> Int
}

/// The most bytes of one answer.
private let maximumBodyBytes = 1 << 30

extension PieceParser {
    /// Reads the next piece of the body.
    ///
    /// - Throws: ``PluginError`` `.badData` or `.limit` that says what is wrong with the server's answer.
    mutating func consume(_ piece: UnsafeBufferPointer<UInt8>) throws {
        guard tokenizer.bytesBefore + unread.count + piece.count <= maximumBodyBytes else {
            throw PluginError(
                .limit, "the server's answer is larger than \(maximumBodyBytes) bytes; ask for less",
                source: .downstream)
        }
        guard !unread.isEmpty else {
            let read = try parse(piece.span)
            unread.append(contentsOf: piece[read...])
            return
        }
        var bytes: [UInt8] = []
        swap(&bytes, &unread)
        bytes.append(contentsOf: piece)
        let read = try parse(bytes.span)
        bytes.removeSubrange(..<read)
        unread = bytes
    }

    /// Counts the end of the document and checks that it is complete.
    ///
    /// - Throws: ``PluginError`` `.badData`.
    mutating func checkEnd() throws {
        tokenizer.bytesBefore += unread.count
        if let failure = tokenizer.failureAtEnd() { throw failure }
    }
}
