// SPDX-License-Identifier: Apache-2.0
package import SwiftProtobuf
internal import Synchronization

extension GRPCConnection {
    /// Asks one question and waits for the one answer; a cancelled task cancels the call.
    ///
    /// - Throws: ``GRPCStatus``; also when the answer is none, or more than one, or not of its type.
    package func unary<Answer: Message>(
        _ path: String, _ question: some Message, timeout: Duration? = nil
    ) async throws(GRPCStatus) -> Answer {
        let message: [UInt8]
        do {
            message = try question.serializedBytes()
        } catch {
            throw .local(.invalidArgument, "the question cannot be written: \(error)")
        }
        let answers = try await collect(GRPCRequest(path, message: message, timeout: timeout))
        guard answers.count == 1 else {
            throw .local(.internal, "the plugin sent \(answers.count) answers to \(path) instead of one")
        }
        return try Answer(answer: answers[0], to: path)
    }

    /// Waits for all messages of an answer; a cancelled task cancels the call.
    package func collect(_ request: GRPCRequest) async throws(GRPCStatus) -> [[UInt8]] {
        let answers = CollectedAnswers()
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let reader = WholeMessageReader { message in
                    answers.messages.withLock { $0.append(message) }
                    return true
                } onEnd: {
                    continuation.resume(returning: $0)
                }
                answers.adopt(begin(request, reader: reader))
            }
        } onCancel: {
            answers.cancel()
        }
        if let failure { throw failure }
        return answers.messages.withLock { $0 }
    }
}

extension Message {
    /// Reads an answer.
    ///
    /// - Throws: ``GRPCStatus`` `.internal` for bytes that are no such message.
    package init(answer: [UInt8], to path: String) throws(GRPCStatus) {
        do {
            try self.init(serializedBytes: answer)
        } catch {
            throw .local(
                .internal, "the plugin's answer to \(path) is not a \(Self.protoMessageName): \(answer.count) bytes")
        }
    }
}

/// What a call has answered so far, and how to cancel it.
private final class CollectedAnswers: Sendable {
    let messages = Mutex<[[UInt8]]>([])
    private let call = Mutex<(call: GRPCCall?, isCancelled: Bool)>((nil, false))

    func adopt(_ begun: GRPCCall) {
        let isCancelled = call.withLock { state in
            state.call = begun
            return state.isCancelled
        }
        if isCancelled { begun.cancel() }
    }

    func cancel() {
        let begun = call.withLock { state in
            state.isCancelled = true
            return state.call
        }
        begun?.cancel()
    }
}
