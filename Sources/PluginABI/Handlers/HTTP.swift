// SPDX-License-Identifier: Apache-2.0

/// Header fields in their order; names compare without case.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral, Sequence {
    private var fields: [(name: String, value: String)] = []

    /// Makes a list without fields.
    public init() {}

    /// Keeps order and repeated names as given.
    public init(_ fields: [(name: String, value: String)]) { self.fields = fields }

    /// Keeps the order of the literal; a repeated name adds another field.
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { (name: $0.0, value: $0.1) }
    }

    /// The first value of a name.
    ///
    /// Setting replaces all of that name; nil removes them.
    public subscript(name: String) -> String? {
        get {
            let wanted = name.lowercased()
            return fields.first { $0.name.lowercased() == wanted }?.value
        }
        set {
            let wanted = name.lowercased()
            fields.removeAll { $0.name.lowercased() == wanted }
            if let newValue { fields.append((name, newValue)) }
        }
    }

    /// Appends a field, also when the name is there already.
    public mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

    /// The number of fields; a repeated name counts each time.
    public var count: Int { fields.count }

    /// Iterates over name and value pairs in their order, names as they were given.
    public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> { fields.makeIterator() }
}

/// A request that the host sends for the plugin.
public struct HTTPRequest: Sendable {
    /// The HTTP verb, such as `GET`.
    public var method: String
    /// Absolute, or a path and query that are joined to the data source's URL.
    public var url: String
    /// The plugin's own fields, beside those that the data source's settings add.
    public var headers: HTTPHeaders
    /// The whole payload; empty for none.
    public var body: [UInt8]
    /// Of the whole exchange; nil: the data source's setting.
    public var timeout: Duration?
    /// Of the response's body; nil: the call's budget.
    public var maxBytes: Int?
    /// True: none of the data source's credentials and custom headers are added.
    public var isAnonymous: Bool

    /// Makes a request: by default a GET with credentials and limits of the data source and no payload.
    public init(
        method: String = "GET", url: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
        timeout: Duration? = nil, maxBytes: Int? = nil, anonymous: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.maxBytes = maxBytes
        self.isAnonymous = anonymous
    }
}

/// The answer to a request; its body arrives while it is read.
public struct HTTPResponse: Sendable {
    /// The HTTP status code; failures of the server such as 404 come here and are not thrown.
    public var status: Int
    /// Names are in lower case.
    public var headers: HTTPHeaders
    /// The payload as it arrives; it can be read once only.
    public var body: HTTPBody

    /// The whole body.
    ///
    /// - Throws: ``PluginError`` `.limit` past `upTo` bytes.
    public func collect(upTo limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in body {
            guard bytes.count + chunk.count <= limit else {
                throw PluginError(.limit, "the response is larger than \(limit) bytes", source: .downstream)
            }
            chunk.withBytes { bytes.append(contentsOf: $0) }
        }
        return bytes
    }
}

/// The body of a response as chunks, read once.
public struct HTTPBody: AsyncSequence, Sendable {
    /// A part of the payload, of whatever size arrived at once.
    public typealias Element = HTTPChunk

    let exchange: HTTPExchange

    /// A cursor into the payload; all cursors of one body share its position.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let exchange: HTTPExchange

        /// Suspends until more bytes arrive; nil at the end of the payload.
        public func next() async throws -> HTTPChunk? { try await exchange.nextChunk() }
    }

    /// Starts where the last reader stopped, not at the beginning.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(exchange: exchange) }
}

/// Sends requests through the host, with the data source's address, credentials, TLS settings and limits.
public struct HTTPClient: Sendable {
    let call: CallBridge

    /// Sends a request and waits for the head of its answer.
    ///
    /// - Throws: ``PluginError`` `.io` when the server cannot be reached, `.timeout`, `.cancelled`, `.invalid` for a bad
    ///   URL, `.forbidden` for a host that is not allowed. An answer of any status is not an error.
    public func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await HTTPExchange.send(request, on: call)
    }
}
