// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHPACK

/// The answer to one call: what came, what its reader has taken of it, and how it ended.
final class GRPCStream {
    /// How an answer ended.
    enum Outcome {
        case success
        case failure(GRPCStatus)

        var failure: GRPCStatus? {
            if case .failure(let status) = self { status } else { nil }
        }
    }

    let call: GRPCCall
    var timer: Scheduled<Void>?
    /// Bytes that were read and not given back to the plugin's window yet.
    var unacknowledged = 0
    /// How the answer ended, which its reader may not have read yet.
    var end: Outcome?
    private var waiting: [ByteBuffer] = []
    private var framing: MessageFraming
    private var hasHead = false

    init(_ call: GRPCCall) {
        self.call = call
        framing = MessageFraming(limit: call.request.limit)
    }

    var isPastDeadline: Bool { call.deadline.map { $0 <= .now } ?? false }

    /// The outcome, once the answer has ended and all of it was read.
    var outcome: Outcome? {
        guard waiting.isEmpty, !framing.isHeld, let end else { return nil }
        if end.failure == nil, framing.isInMessage {
            return .failure(.local(.internal, "the answer ended in the middle of a message"))
        }
        return end
    }

    func received(_ bytes: ByteBuffer, padding: Int) {
        unacknowledged += padding
        if bytes.readableBytes > 0 { waiting.append(bytes) }
    }

    func received(_ headers: HPACKHeaders, isLast: Bool) {
        if !hasHead {
            hasHead = true
            if let fault = Self.fault(of: headers) {
                end = .failure(fault)
                return
            }
        }
        guard isLast else { return }
        end = GRPCStatus.read(trailers: headers).map { .failure($0) } ?? .success
    }

    /// Why the head of an answer is not one of gRPC.
    private static func fault(of headers: HPACKHeaders) -> GRPCStatus? {
        let status = headers.first(name: ":status") ?? ""
        let type = headers.first(name: "content-type") ?? ""
        if status == "200", type.hasPrefix("application/grpc") { return nil }
        let code: GRPCStatus.Code =
            switch status {
            case "401": .unauthenticated
            case "403": .permissionDenied
            case "404": .unimplemented
            case "429", "502", "503", "504": .unavailable
            default: .unknown
            }
        return .local(code, "the plugin's answer is not gRPC: HTTP status '\(status)', content type '\(type)'")
    }

    /// The reader takes messages again; false when it had not asked for a pause.
    func release() -> Bool {
        defer { framing.isHeld = false }
        return framing.isHeld
    }

    /// Hands on what waits, until the reader asks for a pause.
    ///
    /// - Returns: the bytes that the reader took.
    func deliver() throws(GRPCStatus) -> Int {
        var consumed = 0
        while !framing.isHeld, !waiting.isEmpty {
            var buffer = waiting.removeFirst()
            let fed = buffer.withUnsafeReadableBytes { bytes in
                Result { () throws(GRPCStatus) in try framing.feed(bytes, to: call.reader) }
            }
            let count = try fed.get()
            consumed += count
            buffer.moveReaderIndex(forwardBy: count)
            if buffer.readableBytes > 0 { waiting.insert(buffer, at: 0) }
        }
        return consumed
    }
}

extension GRPCStatus {
    static let pastDeadline = GRPCStatus.local(.deadlineExceeded, "the plugin did not answer in time")
}

extension Duration {
    var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ attoseconds / 1_000_000_000
    }

    /// As gRPC writes it: at most eight digits and a unit.
    var grpcText: String {
        let nanoseconds = max(1, inNanoseconds)
        for (unit, divisor) in [("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 1_000_000_000)] as [(String, Int64)] {
            let count = (nanoseconds - 1) / divisor + 1
            if count < 100_000_000 { return "\(count)\(unit)" }
        }
        return "99999999S"
    }
}
