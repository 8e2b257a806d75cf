// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHPACK

/// One call on its connection: the question as it arrives, and the task that answers it.
final class GRPCServerStream {
    let call: GRPCServerCall
    let method: GRPCMethods.Method
    /// Answers the question.
    var task: Task<Void, Never>?
    /// Ends the call when its deadline has passed.
    var timer: Scheduled<Void>?
    /// Bytes that were read and not given back to the host's window yet.
    var unacknowledged = 0
    /// Whether the head of the answer was written.
    var hasHead = false
    private var framing: MessageFraming
    private let question = QuestionReader()

    init(_ call: GRPCServerCall, _ method: GRPCMethods.Method, limit: Int) {
        self.call = call
        self.method = method
        framing = MessageFraming(limit: limit, from: "the host")
    }

    /// Takes bytes of the question.
    func received(_ buffer: ByteBuffer) throws(GRPCStatus) {
        let fed = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(GRPCStatus) in try framing.feed(bytes, to: question) }
        }
        _ = try fed.get()
        if case .ignored = method { question.messages = [] }
        guard question.messages.count <= 1 else {
            throw GRPCStatus(.internal, "more than one question came to \(call.path)")
        }
    }

    /// The host has said everything.
    ///
    /// - Returns: the question.
    func whole() throws(GRPCStatus) -> [UInt8] {
        guard !framing.isInMessage else {
            throw GRPCStatus(.internal, "the question to \(call.path) ended in the middle of a message")
        }
        guard let message = question.messages.first else {
            throw GRPCStatus(.internal, "no question came to \(call.path)")
        }
        return message
    }
}

/// Collects the messages of a question.
///
/// Safety: everything is called on one event loop.
private final class QuestionReader: MessageReader, @unchecked Sendable {
    var messages: [[UInt8]] = []
    private var bytes: [UInt8] = []

    func begin(length: Int) {
        // What a host only announces takes no memory.
        bytes.reserveCapacity(min(length, 1 << 20))
    }

    func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    func end() -> Bool {
        messages.append(bytes)
        bytes = []
        return true
    }

    func finished(_ failure: GRPCStatus?) {}
}

/// The head of a question, or why it is none.
struct GRPCQuestionHead {
    let path: String
    let metadata: [(name: String, value: String)]
    let timeout: Duration?

    /// Why a head is not one of gRPC: the HTTP status that says so.
    struct NotGRPC: Error {
        let status: Int
    }

    init(_ headers: HPACKHeaders) throws {
        guard headers.first(name: ":method") == "POST" else { throw NotGRPC(status: 405) }
        guard headers.first(name: "content-type")?.hasPrefix("application/grpc") == true else {
            throw NotGRPC(status: 415)
        }
        path = headers.first(name: ":path") ?? ""
        metadata = headers.compactMap { name, value, _ in
            name.hasPrefix(":") ? nil : (name: name.lowercased(), value: value)
        }
        timeout = try headers.first(name: "grpc-timeout").map { text throws(GRPCStatus) in
            guard let timeout = Duration(grpcText: text) else {
                throw GRPCStatus(.internal, "the grpc-timeout '\(text.shortened(to: 40))' cannot be read")
            }
            return timeout
        }
    }
}

extension Duration {
    /// Reads what gRPC writes: at most eight digits and a unit.
    init?(grpcText text: String) {
        guard let unit = text.last, text.utf8.count <= 9, text.dropLast().utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
            let count = Int64(text.dropLast())
        else { return nil }
        switch unit {
        case "H": self = .seconds(count * 3_600)
        case "M": self = .seconds(count * 60)
        case "S": self = .seconds(count)
        case "m": self = .milliseconds(count)
        case "u": self = .microseconds(count)
        case "n": self = .nanoseconds(count)
        default: return nil
        }
    }
}
