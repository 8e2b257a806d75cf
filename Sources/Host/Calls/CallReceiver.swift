// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// The head of an answer that is not frames.
public struct CallHead: Sendable {
    /// HTTP status, `GF_HEALTH_…` or `GF_STREAM_…`.
    public var status: Int32
    /// A text for people, such as a health check's; empty when the plugin gave none.
    public var message: String
    /// The headers of a resource's answer; empty for other calls.
    public var headers: HTTPHeaders

    /// Makes a head from values that the plugin gave, which are not checked.
    public init(status: Int32, message: String = "", headers: HTTPHeaders = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }
}

/// Takes what one call delivers.
///
/// Functions come on the plugin's threads, several at once when the plugin emits from several; they return at once and
/// do not call back into the call. After `completed`, which comes exactly once, nothing else comes.
public protocol CallReceiver: AnyObject, Sendable {
    func opened(frame: UInt32, refID: String, schema: FrameSchema)

    /// Rows of an open frame. `bytes` is what they take of the call's window until the reader gives it back with
    /// ``CallTicket/consumed(bytes:)``.
    func received(frame: UInt32, rows: DataFrame, bytes: Int)

    func received(_ chunk: ByteChunk)
    func received(_ head: CallHead)
    func received(_ notice: Notice, refID: String)
    func progressed(_ fraction: Double, token: [UInt8])

    /// One query failed; the call goes on.
    func failed(_ error: PluginError, refID: String)

    /// The call has ended; nil: well.
    func completed(_ error: PluginError?)
}

extension CallReceiver {
    /// Ignores the schema, for receivers of calls without frames.
    public func opened(frame: UInt32, refID: String, schema: FrameSchema) {}
    /// Drops the rows without giving their bytes back to the call's window.
    public func received(frame: UInt32, rows: DataFrame, bytes: Int) {}
    /// Drops the bytes without giving them back to the call's window.
    public func received(_ chunk: ByteChunk) {}
    /// Ignores the head, for receivers of calls that answer with frames.
    public func received(_ head: CallHead) {}
    /// Ignores the remark, which does not change the call's result.
    public func received(_ notice: Notice, refID: String) {}
    /// Ignores progress, for calls that do not go on after a restart.
    public func progressed(_ fraction: Double, token: [UInt8]) {}
    /// Ignores the failure of a query, for calls without queries.
    public func failed(_ error: PluginError, refID: String) {}
}

/// What a call may use.
public struct CallLimits: Sendable {
    /// How long the call may take; nil for streams.
    public var time: Duration?
    /// How long after its deadline, or after it was cancelled, a call may still complete before it is given up.
    public var grace: Duration
    /// All bytes that the call may emit.
    public var bytes: Int64
    /// All rows that the call may emit.
    public var rows: Int64
    /// Bytes that may lie between the plugin and the reader.
    public var window: Int

    /// Allows a minute, a second of grace, 1 GiB, any number of rows and 8 MiB in flight by default.
    public init(
        time: Duration? = .seconds(60), grace: Duration = .seconds(1), bytes: Int64 = 1 << 30,
        rows: Int64 = .max, window: Int = 8 << 20
    ) {
        self.time = time
        self.grace = grace
        self.bytes = bytes
        self.rows = rows
        self.window = window
    }
}

/// Facts about a call that the plugin may ask for.
public struct CallFacts: Sendable {
    /// Who asks; nil: the server itself.
    public var principal: Principal?
    /// Headers of the client's request that the plugin may see; names in lower case.
    public var headers: [String: String]
    /// W3C traceparent, or empty.
    public var traceParent: String
    /// BCP 47 tag, or empty.
    public var locale: String
    /// How long whoever asks waits for the answer; nil: as long as the platform's limits allow.
    public var timeLimit: Duration?

    /// Makes facts of a call by the server itself unless a principal is given.
    public init(
        principal: Principal? = nil, headers: [String: String] = [:], traceParent: String = "", locale: String = "",
        timeLimit: Duration? = nil
    ) {
        self.principal = principal
        self.headers = headers
        self.traceParent = traceParent
        self.locale = locale
        self.timeLimit = timeLimit
    }
}
