// SPDX-License-Identifier: Apache-2.0
package import SwiftProtobuf

/// What a server answers, by the full name of the method, such as `/pluginv2.Data/QueryData`.
package struct GRPCMethods: Sendable {
    /// Answers one question; the call ends well when it returns, and with ``GRPCStatus`` when it throws.
    package typealias Answer = @Sendable (_ question: [UInt8], _ call: GRPCServerCall) async throws -> Void

    enum Method: Sendable {
        /// One message, then any number of answers.
        case question(Answer)
        /// Messages that mean nothing here; the call ends well when the host ends it.
        case ignored
    }

    private var methods: [String: Method] = [:]

    /// Makes a set without methods.
    package init() {}

    subscript(path: String) -> Method? { methods[path] }

    /// Adds a method with one answer.
    package mutating func unary<Question: Message, Answer: Message>(
        _ path: String, _ body: @escaping @Sendable (Question, GRPCServerCall) async throws -> Answer
    ) {
        methods[path] = .question { bytes, call in
            try await call.send(try await body(Question(question: bytes, to: path), call))
        }
    }

    /// Adds a method that sends its answers itself.
    package mutating func stream<Question: Message>(
        _ path: String, _ body: @escaping @Sendable (Question, GRPCServerCall) async throws -> Void
    ) {
        methods[path] = .question { bytes, call in try await body(Question(question: bytes, to: path), call) }
    }

    /// Adds a method that takes what the host sends and says nothing.
    package mutating func ignoring(_ path: String) { methods[path] = .ignored }

    /// Adds the methods that every plugin of go-plugin has beside its own.
    ///
    /// - Parameter shutDown: the host asks the program to end; its answer is sent before.
    package mutating func addStanding(shutDown: @escaping @Sendable () -> Void) {
        unary("/grpc.health.v1.Health/Check") { (question: Grpc_Health_V1_HealthCheckRequest, _) in
            guard ["", "plugin"].contains(question.service) else {
                throw GRPCStatus(.notFound, "there is no service '\(question.service.prefix(100))'; ask for 'plugin'")
            }
            var answer = Grpc_Health_V1_HealthCheckResponse()
            answer.status = .serving
            return answer
        }
        unary("/plugin.GRPCController/Shutdown") { (_: Plugin_Empty, call) in
            call.whenOver(shutDown)
            return Plugin_Empty()
        }
        // What is printed goes to standard error, which the host logs; the host still expects this stream to stay.
        stream("/plugin.GRPCStdio/StreamStdio") { (_: Plugin_Empty, call) in await call.waitUntilOver() }
        ignoring("/plugin.GRPCBroker/StartStream")
    }
}

extension Message {
    /// Reads a question.
    ///
    /// - Throws: ``GRPCStatus`` `.internal` for bytes that are no such message, as gRPC's servers have it.
    init(question: [UInt8], to path: String) throws(GRPCStatus) {
        do {
            try self.init(serializedBytes: question)
        } catch {
            throw GRPCStatus(
                .internal, "the question to \(path) is not a \(Self.protoMessageName): \(question.count) bytes")
        }
    }
}

extension GRPCServerCall {
    /// Sends a message; see ``send(_:)-([UInt8])``.
    package func send(_ message: some Message) async throws(GRPCStatus) {
        let bytes: [UInt8]
        do {
            bytes = try message.serializedBytes()
        } catch {
            throw GRPCStatus(.resourceExhausted, "the answer cannot be written: \(error)")
        }
        try await send(bytes)
    }
}
