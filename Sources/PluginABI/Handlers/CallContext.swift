// SPDX-License-Identifier: Apache-2.0

/// How loud a log line is.
public enum LogLevel: UInt32, Sendable {
    case debug = 0
    case info = 1
    case warn = 2
    case error = 3
}

/// The services of the host for one instance, at any time.
public struct Host: Sendable {
    let bridge: HostBridge
    let config: UInt64

    /// Writes one line to the server's log, under the plugin's name.
    ///
    /// Secrets do not belong into it.
    public func log(_ level: LogLevel, _ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        bridge.log(level, message, metadata)
    }

    /// The time now, for time stamps.
    public var now: Timestamp { bridge.now }

    /// A secret setting (`secureJsonData`), or nil when it is not set.
    public func secret(_ name: String) -> String? { bridge.secret(name, config: config) }

    /// What the operator set for this plugin in `[plugin.<id>]`, or nil when the key is not set; keys are in lower case.
    ///
    /// No user of a data source can write these settings.
    public func setting(_ key: String) -> String? { bridge.setting(key) }

    /// A little persistent memory for this instance, shared by all servers on one database.
    public var kv: KeyValueStore { KeyValueStore(bridge: bridge, config: config) }
}

/// The persistent memory of an instance: at most 64 MiB in values of at most 1 MiB.
public struct KeyValueStore: Sendable {
    let bridge: HostBridge
    let config: UInt64

    /// The stored value and its version, or nil when there is none.
    public func get(_ key: String) throws -> (value: [UInt8], version: Int64)? {
        try bridge.kvGet(key, config: config)
    }

    /// Stores a value and returns its new version.
    ///
    /// - Parameter version: what is stored now must have it: 0 for nothing, nil for anything.
    /// - Throws: ``PluginError`` `.state` when another version is stored, `.limit`, `.io`.
    @discardableResult
    public func put(_ key: String, _ value: [UInt8], ifVersion version: Int64? = nil) throws -> Int64 {
        try bridge.kvPut(key, value, version: version, config: config)
    }

    /// Deletes the value of a key, whatever its version; a key that is not there is no error.
    public func remove(_ key: String) throws { try bridge.kvRemove(key, config: config) }

    /// The keys with a prefix, ascending.
    public func list(prefix: String = "") throws -> [String] { try bridge.kvList(prefix, config: config) }
}

/// One call: who asks, until when, and the services that end with it.
public struct CallContext: Sendable {
    let call: CallBridge

    /// Whether the result is no longer wanted; the handler's task is cancelled as well.
    public var isCancelled: Bool { call.isCancelled }

    /// The time by which the call must have completed; nil for streams.
    public var deadline: Timestamp? { call.deadline }

    /// Who asks; nil when the server itself does.
    public var principal: Principal? { call.principal }

    /// The W3C traceparent, or nil.
    public var traceContext: String? { call.traceContext }

    /// The user's language as a BCP 47 tag, or nil.
    public var locale: String? { call.locale }

    /// A header of the client's request that the host lets through; name in any case.
    public func header(_ name: String) -> String? { call.header(name) }

    /// The way to servers outside, bound to this call: a request cannot outlive it.
    public var http: HTTPClient { HTTPClient(call: call) }

    /// Opens a WebSocket with the data source's address, credentials, TLS settings and limits; it ends with the call.
    ///
    /// - Throws: ``PluginError`` as ``HTTPClient/send(_:)``, and `.badData` for a server that does not speak the protocol.
    public func openWebSocket(_ request: WebSocketRequest) async throws -> WebSocketAnswer {
        try await WebSocketConnection.open(request, on: call)
    }

    /// Waits without a thread; ends early with ``PluginError`` `.cancelled`.
    public func sleep(for duration: Duration) async throws { try await call.sleep(for: duration) }

    /// Writes one line to the server's log; same as ``Host/log(_:_:_:)``, for code that has no ``Host`` at hand.
    public func log(_ level: LogLevel, _ message: String, _ metadata: KeyValuePairs<String, String> = [:]) {
        call.host.log(level, message, metadata)
    }
}

/// Takes the frames of one query.
public struct QueryResponder: Sendable {
    let call: CallBridge
    let refID: String

    /// Sends a frame; an empty `refID` becomes the query's.
    ///
    /// Suspends while the reader is behind.
    ///
    /// - Throws: ``PluginError`` `.limit` when the call's budget is spent, `.badData`, `.cancelled`.
    public func send(_ frame: DataFrame) async throws {
        var frame = frame
        if frame.refID.isEmpty { frame.refID = refID }
        try await call.send(frame, refID: refID)
    }

    /// Adds a remark to the frames of this query that have not reached the reader yet.
    public func notice(_ notice: Notice) { call.notice(notice, refID: refID) }
}

/// A request below `resources/`.
public struct ResourceRequest: Sendable {
    /// Upper case.
    public var method: String
    /// Without leading slash and query; percent-encoding is kept.
    public var path: String
    /// Without `?`; percent-encoding is kept.
    public var query: String
    /// What the client sent and the host lets through.
    public var headers: HTTPHeaders
    let call: CallBridge

    /// The whole body.
    ///
    /// - Throws: ``PluginError`` `.limit` past `upTo` bytes.
    public func body(upTo limit: Int) async throws -> [UInt8] { try await call.readInput(upTo: limit) }
}

/// Takes the answer to a resource request.
public struct ResourceResponder: Sendable {
    let call: CallBridge

    /// Sends status and headers; at most once and before the body.
    public func head(status: Int, headers: HTTPHeaders = [:]) async throws {
        try call.head(status: Int32(clamping: status), message: "", headers: headers)
    }

    /// Sends a part of the body.
    ///
    /// Suspends while the reader is behind.
    public func write(_ bytes: [UInt8]) async throws { try await call.send(bytes) }

    /// The same for a chunk that the host received, without a copy.
    public func write(buffer chunk: HTTPChunk) async throws { try await call.send(chunk) }

    /// Sends head and body at once, as `application/json`; neither may have been sent before.
    public func respond(status: Int = 200, json: JSONValue) async throws {
        try await head(status: status, headers: ["Content-Type": "application/json"])
        try await write(Array(json.encoded().utf8))
    }

    /// Sends head and body at once, as UTF-8 `text/plain`; neither may have been sent before.
    public func respond(status: Int = 200, text: String) async throws {
        try await head(status: status, headers: ["Content-Type": "text/plain; charset=utf-8"])
        try await write(Array(text.utf8))
    }
}

/// Takes what a running stream produces.
public struct StreamSender: Sendable {
    let call: CallBridge

    /// Sends rows to all listeners; the schema goes along when it differs from that of the frame before.
    public func send(_ frame: DataFrame) async throws { try await call.sendStreamed(frame) }

    /// Sends one packet of the plugin's own format.
    public func send(bytes: [UInt8]) async throws { try await call.send(bytes) }

    /// Remembers where a run goes on after a reload.
    public func checkpoint(_ token: [UInt8]) { call.progress(fraction: -1, token: token) }
}
