// SPDX-License-Identifier: Apache-2.0

/// Takes the messages of one call as their bytes arrive, on the connection's event loop.
///
/// For each message come `begin`, any number of `append` and `end`; then, exactly once, `finished`.
package protocol MessageReader: AnyObject, Sendable {
    /// A message of `length` bytes begins.
    ///
    /// - Throws: ``GRPCStatus``, which ends the call.
    func begin(length: Int) throws(GRPCStatus)

    /// More bytes of the message, valid until the function returns.
    func append(_ bytes: UnsafeRawBufferPointer) throws(GRPCStatus)

    /// The message is complete.
    ///
    /// - Returns: whether the next one may come; when not, ``GRPCCall/resume()`` asks for it.
    func end() throws(GRPCStatus) -> Bool

    /// The call has ended; nil: well.
    func finished(_ failure: GRPCStatus?)
}

/// Cuts the DATA of one stream into messages: each has a byte for its compression and four for its length.
package struct MessageFraming: Sendable {
    private var head: [UInt8] = []
    /// What is missing of the message; nil between messages.
    private var missing: Int?
    /// Whether the reader asked for a pause; nothing is fed meanwhile.
    package var isHeld = false
    private let limit: Int
    private let sender: String

    /// - Parameters:
    ///   - limit: longer messages end the call.
    ///   - sender: who sends them, for the words of a failure.
    package init(limit: Int, from sender: String = "the plugin") {
        self.limit = limit
        self.sender = sender
    }

    /// Whether a message has begun and not ended.
    package var isInMessage: Bool { missing != nil || !head.isEmpty }

    /// Hands bytes to a reader.
    ///
    /// - Returns: how many bytes were taken: fewer than given when the reader asked for a pause.
    package mutating func feed(
        _ bytes: UnsafeRawBufferPointer, to reader: any MessageReader
    ) throws(GRPCStatus) -> Int {
        var taken = 0
        while taken < bytes.count {
            guard var left = missing else {
                head.append(bytes[taken])
                taken += 1
                guard head.count == 5 else { continue }
                let length = try messageLength()
                head.removeAll(keepingCapacity: true)
                try reader.begin(length: length)
                missing = length
                if length == 0 { try ended(reader) }
                if isHeld { return taken }
                continue
            }
            let count = min(left, bytes.count - taken)
            try reader.append(UnsafeRawBufferPointer(rebasing: bytes[taken..<(taken + count)]))
            taken += count
            left -= count
            missing = left
            if left == 0 { try ended(reader) }
            if isHeld { return taken }
        }
        return taken
    }

    private mutating func ended(_ reader: any MessageReader) throws(GRPCStatus) {
        missing = nil
        isHeld = try !reader.end()
    }

    private func messageLength() throws(GRPCStatus) -> Int {
        guard head[0] == 0 else {
            let what = head[0] == 1 ? "compressed" : "marked with \(head[0])"
            throw .local(.internal, "\(sender) sent a message that is \(what), which nobody asked for")
        }
        let length = head[1...].reduce(0) { $0 << 8 | Int($1) }
        guard length <= limit else {
            throw .local(
                .resourceExhausted, "\(sender) sent a message of \(length) bytes; the limit is \(limit) bytes")
        }
        return length
    }
}

/// Collects each message in one piece and hands it on.
package final class WholeMessageReader: MessageReader, @unchecked Sendable {  // Safety: one event loop
    // Safety: everything is called on one event loop.
    private var bytes: [UInt8] = []
    private let onMessage: @Sendable ([UInt8]) throws(GRPCStatus) -> Bool
    private let onEnd: @Sendable (GRPCStatus?) -> Void

    /// - Parameter onMessage: takes a message; false asks for a pause.
    package init(
        onMessage: @escaping @Sendable ([UInt8]) throws(GRPCStatus) -> Bool,
        onEnd: @escaping @Sendable (GRPCStatus?) -> Void
    ) {
        self.onMessage = onMessage
        self.onEnd = onEnd
    }

    package func begin(length: Int) {
        bytes = []
        // What a plugin only announces takes no memory.
        bytes.reserveCapacity(min(length, 1 << 20))
    }

    package func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    package func end() throws(GRPCStatus) -> Bool {
        defer { bytes = [] }
        return try onMessage(bytes)
    }

    package func finished(_ failure: GRPCStatus?) { onEnd(failure) }
}
