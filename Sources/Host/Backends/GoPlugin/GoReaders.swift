// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI
internal import SwiftProtobuf

/// Reads the one answer to QueryData: its frames are put into place while they arrive.
///
/// Safety: everything is called on one event loop.
final class QueryReader: MessageReader, @unchecked Sendable {
    private let call: GoCall
    private var parser: QueryAnswerParser?
    private var answers: [QueryAnswer]?

    init(_ call: GoCall) { self.call = call }

    func begin(length: Int) { parser = QueryAnswerParser(length: length) }

    func append(_ bytes: UnsafeRawBufferPointer) throws(GRPCStatus) { try parser?.feed(bytes) }

    func end() throws(GRPCStatus) -> Bool {
        answers = try parser?.finish()
        parser = nil
        return true
    }

    func finished(_ failure: GRPCStatus?) {
        if failure == nil, let answers { _ = call.take(Self.parts(of: answers)) }
        call.finished(failure ?? (answers == nil ? GRPCStatus(.internal, "the plugin gave no answer") : nil))
    }

    private static func parts(of answers: [QueryAnswer]) -> [GoCall.Part] {
        var parts: [GoCall.Part] = []
        var number: UInt32 = 0
        for answer in answers {
            for frame in answer.frames {
                parts.append(
                    .frame(frame, isJSON: answer.isJSON, refID: answer.refID, frame: number, isContinued: false))
                number += 1
            }
            if let failure = PluginError(
                answer: answer.error, status: answer.status, source: answer.errorSource)
            {
                parts.append(.failed(failure, refID: answer.refID))
            }
        }
        return parts
    }
}

extension PluginError {
    /// The failure of one query as a plugin tells it; nil when there is none.
    fileprivate init?(answer text: String, status: Int, source: String) {
        guard !text.isEmpty else { return nil }
        let isStatus = (100...599).contains(status)
        self.init(
            isStatus ? Code(answered: status) : .internal, text,
            source: source == "downstream" ? .downstream : .plugin, httpStatus: isStatus ? status : 500)
    }
}

extension PluginError.Code {
    /// The code that a plugin of this server would have answered with.
    fileprivate init(answered status: Int) {
        self =
            switch status {
            case 400: .invalid
            case 401: .unauthenticated
            case 403: .forbidden
            case 404: .notFound
            case 413: .limit
            case 499: .cancelled
            case 501: .unsupported
            case 502: .downstream
            case 504: .timeout
            default: .internal
            }
    }
}

/// Collects each message of an answer, decodes it and hands it on.
///
/// Safety: everything is called on one event loop.
class TypedReader<Answer: Message & Sendable>: MessageReader, @unchecked Sendable {
    let call: GoCall
    private(set) var count = 0
    private var bytes: [UInt8] = []

    init(_ call: GoCall) { self.call = call }

    final func begin(length: Int) {
        bytes = []
        bytes.reserveCapacity(min(length, 1 << 20))
    }

    final func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    final func end() throws(GRPCStatus) -> Bool {
        defer { bytes = [] }
        let answer = try Answer(answer: bytes, to: Answer.protoMessageName)
        count += 1
        return take(answer)
    }

    /// Acts on a message; false asks for a pause.
    func take(_ answer: Answer) -> Bool { true }

    func finished(_ failure: GRPCStatus?) {
        call.finished(failure ?? (count == 0 ? GRPCStatus(.internal, "the plugin gave no answer") : nil))
    }
}

/// Reads the chunks of QueryChunkedData.
final class ChunkedQueryReader: TypedReader<Pluginv2_QueryChunkedDataResponse>, @unchecked Sendable {
    private var numbers: [String: UInt32] = [:]
    private var isMissing = false

    override func take(_ answer: Pluginv2_QueryChunkedDataResponse) -> Bool {
        // A plugin whose SDK knows the method and that has no handler for it says so in one message.
        if count == 1, answer.status == 501, answer.frame.isEmpty {
            isMissing = true
            return true
        }
        if !answer.error.isEmpty,
            let failure = PluginError(answer: answer.error, status: Int(answer.status), source: answer.errorSource)
        {
            return call.take([.failed(failure, refID: answer.refID)])
        }
        guard !answer.frame.isEmpty else { return true }
        let key = "\(answer.refID)\u{0}\(answer.frameID)"
        let known = numbers[key]
        let number = known ?? UInt32(clamping: numbers.count)
        numbers[key] = number
        let frame = answer.frame.withUnsafeBytes { ArrowBuffer(copying: $0) }
        return call.take([
            .frame(
                frame, isJSON: answer.format == .json, refID: answer.refID, frame: number, isContinued: known != nil)
        ])
    }

    override func finished(_ failure: GRPCStatus?) {
        if isMissing || failure?.code == .unimplemented { return call.askWithoutChunks() }
        call.finished(failure)
    }
}

/// Reads the answer to CheckHealth.
final class HealthReader: TypedReader<Pluginv2_CheckHealthResponse>, @unchecked Sendable {
    override func take(_ answer: Pluginv2_CheckHealthResponse) -> Bool {
        var parts: [GoCall.Part] = [
            .head(status: Int32(answer.status.rawValue), message: answer.message, headers: [:])
        ]
        if !answer.jsonDetails.isEmpty { parts.append(.bytes(Array(answer.jsonDetails))) }
        return call.take(parts)
    }

    override func finished(_ failure: GRPCStatus?) {
        guard failure?.code == .unimplemented else { return super.finished(failure) }
        _ = call.take([.head(status: 0, message: "Health check not implemented", headers: [:])])
        call.finished(nil)
    }
}

/// Reads the parts of a resource's answer.
final class ResourceReader: TypedReader<Pluginv2_CallResourceResponse>, @unchecked Sendable {
    override func take(_ answer: Pluginv2_CallResourceResponse) -> Bool {
        var parts: [GoCall.Part] = []
        if count == 1 {
            var headers = HTTPHeaders()
            for (name, list) in answer.headers.sorted(by: { $0.key < $1.key }) {
                for value in list.values { headers.add(name, value) }
            }
            parts.append(.head(status: answer.code, message: "", headers: headers))
        }
        if !answer.body.isEmpty { parts.append(.bytes(Array(answer.body))) }
        return call.take(parts)
    }

    override func finished(_ failure: GRPCStatus?) {
        let isEmpty = failure == nil && count == 0
        call.finished(isEmpty ? GRPCStatus(.internal, "received empty resource response") : failure)
    }
}

/// Reads the answer to SubscribeStream or PublishStream, which have the same fields.
final class SubscriptionReader: TypedReader<Pluginv2_SubscribeStreamResponse>, @unchecked Sendable {
    override func take(_ answer: Pluginv2_SubscribeStreamResponse) -> Bool {
        var parts: [GoCall.Part] = [.head(status: Int32(answer.status.rawValue), message: "", headers: [:])]
        if !answer.data.isEmpty { parts.append(.bytes(Array(answer.data))) }
        return call.take(parts)
    }
}

/// Reads the packets of RunStream.
final class PacketReader: TypedReader<Pluginv2_StreamPacket>, @unchecked Sendable {
    override func take(_ answer: Pluginv2_StreamPacket) -> Bool { call.take([.bytes(Array(answer.data))]) }

    override func finished(_ failure: GRPCStatus?) { call.finished(failure) }
}
