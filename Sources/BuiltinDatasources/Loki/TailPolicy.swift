// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What to do after the end of a tail's connection, and how long to wait before the next.
struct TailPolicy: Sendable {
    /// The end of one connection.
    enum End: Sendable {
        /// The server answered the handshake with another status.
        case refused(status: Int, body: [UInt8])
        case closed(WebSocket.Closing)
        /// The network failed.
        case failed(PluginError)
    }

    enum Decision: Sendable {
        /// Connect again after the pause.
        case again(after: Duration)
        case fail(PluginError)
    }

    static let firstPause = Duration.milliseconds(250)
    static let longestPause = Duration.seconds(10)
    /// After so many connections in a row that the server ended with an error, the error is told.
    static let maximumFailures = 5

    /// Codes that say that the server closes or loses connections, whatever was asked for.
    private static let temporary: Set = [1000, 1001, WebSocket.Closing.noCode, WebSocket.Closing.lost, 1012, 1013]

    private var pause = Self.firstPause
    private var failures = 0

    /// - Parameters:
    ///   - hadLines: Whether lines came on this connection.
    ///   - hasSeenLines: Whether lines came on this or an earlier one.
    mutating func decide(after end: End, hadLines: Bool, hasSeenLines: Bool) -> Decision {
        if hadLines {
            pause = Self.firstPause
            failures = 0
        }
        if let error = error(of: end) {
            failures += 1
            if Self.isFinal(end, error) || !hasSeenLines || failures >= Self.maximumFailures { return .fail(error) }
        }
        defer { pause = min(pause * 2, Self.longestPause) }
        return .again(after: pause)
    }

    /// Whether another try would end alike.
    private static func isFinal(_ end: End, _ error: PluginError) -> Bool {
        if case .refused = end { return true }
        return error.code == .limit || error.code == .badData
    }

    /// The error that the end stands for; nil when it is part of the life of a connection.
    private func error(of end: End) -> PluginError? {
        switch end {
        case .refused(let status, let body):
            guard status < 500, status != 429, status != 408 else { return nil }
            var error = UpstreamStatus.lokiError(status: status, body: body)
            switch status {
            case 401: error.code = .unauthenticated
            case 403: error.code = .forbidden
            case 404: error.code = .notFound
            default: error.code = .invalid
            }
            return error
        case .closed(let closing):
            guard !Self.temporary.contains(closing.code) else { return nil }
            let reason = closing.reason.isEmpty ? "no reason given" : closing.reason
            return PluginError(
                .invalid, "the server ended the tail with code \(closing.code): \(reason)", source: .downstream)
        case .failed(let error):
            return error.code.isRetryable ? nil : error
        }
    }
}
