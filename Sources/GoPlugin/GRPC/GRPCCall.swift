// SPDX-License-Identifier: Apache-2.0
internal import NIOCore

/// What a call is asked with.
package struct GRPCRequest: Sendable {
    /// Such as `/pluginv2.Data/QueryData`.
    package var path: String
    /// The serialized message.
    package var message: [UInt8]
    /// Lower-case names; sent as they are.
    package var metadata: [(name: String, value: String)]
    /// Told to the plugin.
    package var timeout: Duration?
    /// Whether the call ends here when the timeout is over; else whoever began it watches the time.
    package var isTimed = true
    /// The longest message that is taken.
    package var limit: Int
    /// Whether more messages may follow, as on go-plugin's broker stream; then `message` is not sent.
    package var staysOpen = false

    /// The largest message of HTTP/2 gRPC that Grafana's host takes.
    package static let largestMessage = Int(Int32.max)

    /// Makes a request with one message.
    package init(
        _ path: String, message: [UInt8], metadata: [(name: String, value: String)] = [], timeout: Duration? = nil,
        limit: Int = largestMessage
    ) {
        self.path = path
        self.message = message
        self.metadata = metadata
        self.timeout = timeout
        self.limit = limit
    }
}

/// A call that was handed to a connection.
package final class GRPCCall: Sendable {
    let request: GRPCRequest
    let reader: any MessageReader
    let deadline: ContinuousClock.Instant?
    private let connection: GRPCConnection

    init(_ request: GRPCRequest, reader: any MessageReader, connection: GRPCConnection) {
        self.request = request
        self.reader = reader
        self.connection = connection
        deadline = request.timeout.map { .now + $0 }
    }

    /// Ends the call: the plugin is told, and the reader is finished with `cancelled` unless the call has ended.
    package func cancel() { connection.submit(.cancel(self)) }

    /// Asks for the messages that wait since the reader asked for a pause.
    package func resume() { connection.submit(.resume(self)) }
}
