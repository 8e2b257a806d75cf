// SPDX-License-Identifier: Apache-2.0

/// A WebSocket that the host opens for the plugin.
public struct WebSocketRequest: Sendable {
    /// Absolute, or a path and query that are joined to the data source's URL.
    public var url: String
    /// The plugin's own fields, beside those of the handshake and those that the data source's settings add.
    public var headers: HTTPHeaders
    /// The subprotocols to offer, by preference.
    public var protocols: [String]
    /// Of the handshake; nil: the data source's setting.
    public var timeout: Duration?
    /// Of one message from the server; nil: 16 MiB.
    public var maxMessageBytes: Int?
    /// True: none of the data source's credentials and custom headers are added.
    public var isAnonymous: Bool

    /// Makes a request: by default with the credentials and limits of the data source.
    public init(
        url: String, headers: HTTPHeaders = [:], protocols: [String] = [], timeout: Duration? = nil,
        maxMessageBytes: Int? = nil, anonymous: Bool = false
    ) {
        self.url = url
        self.headers = headers
        self.protocols = protocols
        self.timeout = timeout
        self.maxMessageBytes = maxMessageBytes
        isAnonymous = anonymous
    }
}

/// The server's answer to the handshake.
public enum WebSocketAnswer: Sendable {
    case open(WebSocket)
    /// An HTTP answer of another status than 101, with the start of its body.
    case refused(status: Int, body: [UInt8])
}

/// An open WebSocket; dropping the last reference closes it.
public struct WebSocket: Sendable {
    /// One whole message.
    public struct Message: Sendable {
        /// Whether it is text, which is UTF-8, and not binary.
        public var isText: Bool
        /// Its bytes, in memory of the host.
        public var chunk: HTTPChunk
    }

    /// Why a socket is over.
    public struct Closing: Sendable, Equatable {
        /// The server's code; ``noCode`` or ``lost`` when it gave none.
        public var code: Int
        /// The server's words; may be empty.
        public var reason: String

        /// Makes an end by hand, as in tests.
        public init(code: Int, reason: String = "") {
            self.code = code
            self.reason = reason
        }

        /// The server closed without a code.
        public static let noCode = 1005
        /// The connection ended without goodbye.
        public static let lost = 1006
    }

    /// What comes next.
    public enum Event: Sendable {
        case message(Message)
        /// The end; it comes again when asked again.
        case closed(Closing)
    }

    let connection: WebSocketConnection

    /// Suspends until a message comes, or the end.
    ///
    /// - Throws: ``PluginError`` `.limit` for a message that is too large, `.badData` for a server that breaks the
    ///   protocol, `.cancelled`.
    public func receive() async throws -> Event { try await connection.receive() }

    /// Sends a text.
    ///
    /// Suspends while the server is behind.
    public func send(text: String) async throws { try await connection.send(Array(text.utf8), isText: true) }

    /// Sends bytes.
    ///
    /// Suspends while the server is behind.
    public func send(bytes: [UInt8]) async throws { try await connection.send(bytes, isText: false) }

    /// Says goodbye; nothing may be sent or received any more.
    public func close(code: Int = 1000, reason: String = "") { connection.close(code: code, reason: reason) }
}
