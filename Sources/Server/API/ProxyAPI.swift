// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOSSL
import PluginABI
import PluginHost
import Storage

/// `/api/datasources/proxy`: requests that go on to a data source's own server, with its credentials.
struct ProxyAPI: Sendable {
    let services: ServerServices

    private static let methods: [RequestMethod] = [.get, .head, .post, .put, .patch, .delete, .options]

    func addRoutes(to router: some RouterMethods<APIContext>) {
        for method in Self.methods {
            for suffix in ["", "/**"] {
                router.on(RouterPath("api/datasources/proxy/uid/:uid" + suffix), method: method) {
                    try await proxy($0, $1, .uid($1.parameter("uid")), parts: 5)
                }
                router.on(RouterPath("api/datasources/proxy/:id" + suffix), method: method) { request, context in
                    guard let id = Int64(try context.parameter("id")) else {
                        throw APIError(.badRequest, "id is invalid")
                    }
                    return try await proxy(request, context, .id(id), parts: 4)
                }
            }
        }
    }

    @Sendable
    private func proxy(
        _ request: Request, _ context: APIContext, _ reference: DataSourceReference, parts: Int
    ) async throws -> Response {
        services.metrics.count(.proxyRequests)
        let identity = try context.requireIdentity()
        try identity.require(.viewer, "datasources:query")
        let source = try await services.resolver.find(reference, orgID: identity.orgID)
        let path = request.rawPath(afterParts: parts)
        let rules = ProxyRules(options: services.options.proxy)
        let plugin = services.platform.plugin(id: source.source.fields.type)
        let routes = plugin?.descriptor.json["routes"]?.array ?? []
        try rules.check(
            request.method, path, ofType: source.configuration.settings.pluginID, routes: routes, role: identity.role)
        let target = try ProxyTarget(source.source.fields.url, path: path, query: request.rawQuery)
        try rules.check(host: target.host, port: target.port)
        if ProxyUpgrade.isWanted(request) { return try await upgrade(request, context, source, target) }
        let outgoing = try await outgoing(request, context, source, target)
        let client = try services.proxyClients.client(for: source)
        let timeout = Self.timeout(of: source) ?? services.options.proxy.timeout
        do {
            let response = try await services.connections.whileConnected(context.channel) {
                try await client.execute(outgoing, timeout: .nanoseconds(timeout.nanosecondsClamped))
            }
            return answer(response, context, cacheControl: request.headers[Self.cacheName])
        } catch let error as APIError {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Self.failure(error)
        }
    }

    private func upgrade(
        _ request: Request, _ context: APIContext, _ source: ResolvedDataSource, _ target: ProxyTarget
    ) async throws -> Response {
        // Browsers send cookies with the handshake of any page, and let that page read what comes.
        if context.identity?.session != nil { try OriginRule(options: services.options).checkOrigin(of: request) }
        let tls = try ProxyTLS.configuration(of: source) ?? .makeClientConfiguration()
        let upgrade = ProxyUpgrade(
            target: target, headers: headers(request, context, source), tls: target.isSecure ? tls : nil,
            dialTimeout: services.options.proxy.dialTimeout,
            timeout: Self.timeout(of: source) ?? services.options.proxy.timeout)
        return try await upgrade.run(over: context.channel)
    }

    private static func timeout(of source: ResolvedDataSource) -> Duration? {
        let value = source.configuration.settings.jsonData["timeout"]
        guard let seconds = value?.double ?? value?.string.flatMap(Double.init), seconds > 0, seconds < 86_400 else {
            return nil
        }
        return .milliseconds(Int64(seconds * 1000))
    }

    private func outgoing(
        _ request: Request, _ context: APIContext, _ source: ResolvedDataSource, _ target: ProxyTarget
    ) async throws -> HTTPClientRequest {
        var outgoing = HTTPClientRequest(url: target.url)
        outgoing.method = HTTPMethod(rawValue: request.method.rawValue)
        outgoing.headers = headers(request, context, source)
        let limit = services.options.limits.bodyBytes
        if let length = request.headers[.contentLength].flatMap({ Int64($0) }) {
            guard length <= limit else { throw APIError.payloadTooLarge }
            if length > 0 { outgoing.body = .stream(request.body, length: .known(length)) }
        } else if request.headers[.transferEncoding] != nil {
            outgoing.body = .bytes(try await request.collect(upTo: limit))
        }
        return outgoing
    }

    /// The client's headers but its credentials, then what the data source's settings add.
    private func headers(_ request: Request, _ context: APIContext, _ source: ResolvedDataSource) -> ProxyHeaders {
        let dropped: Set<String> = ["origin", "referer", "user-agent", "x-ds-authorization", "accept-encoding"]
        var headers = ProxyHeaders()
        for (name, value) in HeaderRules.forwardable(request.headers) where !dropped.contains(name) {
            headers.add(name: name, value: value)
        }
        if let encoding = request.headers[.acceptEncoding] { headers.add(name: "accept-encoding", value: encoding) }
        headers.add(name: "user-agent", value: services.options.proxy.userAgent)
        let before = headers["x-forwarded-for"].joined(separator: ", ")
        let address = context.clientIP
        if !address.isEmpty {
            headers.replaceOrAdd(name: "x-forwarded-for", value: before.isEmpty ? address : before + ", " + address)
        }
        headers.replaceOrAdd(name: "traceparent", value: context.trace.traceParent)
        let facts = CallerFacts(request, context, services.options)
        if let cookie = facts.keptCookies(of: source) { headers.add(name: "cookie", value: cookie) }
        if services.options.proxy.sendsUserHeader, let login = context.identity?.user?.login {
            headers.replaceOrAdd(name: "x-grafana-user", value: login)
        }
        addCredentials(of: source, request, to: &headers)
        return headers
    }

    private func addCredentials(
        of source: ResolvedDataSource, _ request: Request, to headers: inout ProxyHeaders
    ) {
        let settings = source.configuration.settings
        let secrets = source.configuration.secrets
        if let name = HTTPField.Name("X-DS-Authorization"), let value = request.headers[name] {
            headers.replaceOrAdd(name: "authorization", value: value)
        }
        if settings.basicAuthEnabled {
            let pair = "\(settings.basicAuthUser):\(secrets["basicAuthPassword"] ?? "")"
            headers.replaceOrAdd(name: "authorization", value: "Basic " + Data(pair.utf8).base64EncodedString())
        }
        var number = 1
        while let name = settings.jsonData["httpHeaderName\(number)"]?.string, number <= 100 {
            if let value = secrets["httpHeaderValue\(number)"], HTTPField.Name(name) != nil,
                HTTPField.isValidValue(value)
            {
                headers.replaceOrAdd(name: name, value: value)
            }
            number += 1
        }
    }

    /// Clients ask with it for an answer that their browser may keep, and are told by it that it may.
    private static let cacheName = HTTPField.Name("X-Grafana-Cache") ?? .cacheControl

    private func answer(
        _ upstream: HTTPClientResponse, _ context: APIContext, cacheControl: String?
    ) -> Response {
        guard upstream.status.code != 401 else {
            return .message("Authentication to data source failed", status: .badRequest)
        }
        let status = HTTPStatus(code: Int(upstream.status.code))
        var headers = HeaderRules.answer(upstream.headers.map { (name: $0.name, value: $0.value) })
        headers[.contentSecurityPolicy] = "sandbox"
        if let cacheControl {
            headers[Self.cacheName] = "y"
            headers[.cacheControl] = cacheControl
        }
        let length = headers[.contentLength].flatMap { Int($0) }
        let connections = services.connections
        let channel = context.channel
        let limit = services.options.proxy.responseLimit
        let body = ResponseBody(contentLength: length) { writer in
            let box = BodyWriterBox(writer)
            try await connections.whileConnected(channel) {
                var total = 0
                for try await part in upstream.body {
                    total += part.readableBytes
                    guard limit == 0 || total <= limit else {
                        throw APIError(.badGateway, "http: response body too large")
                    }
                    try await box.write(part)
                }
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }

    private static func failure(_ error: any Error) -> APIError {
        switch error as? HTTPClientError {
        case .deadlineExceeded?, .readTimeout?: return APIError(.gatewayTimeout, "Gateway Timeout")
        case .cancelled?:
            return APIError(HTTPStatus(code: 499, reasonPhrase: "Client Closed Request"), "Request cancelled")
        default: return APIError(.badGateway, "Bad Gateway")
        }
    }
}

/// Where a proxied request goes.
struct ProxyTarget: Equatable {
    var url: String
    var host: String
    var port: Int
    var isSecure: Bool
    /// Host and port as the URL has them.
    var authority: String
    /// Path and query, escaped.
    var requestTarget: String

    /// Joins a data source's URL with the path and query of a request.
    ///
    /// - Throws: ``APIError`` 400 when the data source has no usable http URL.
    init(_ base: String, path: String, query: String) throws {
        isSecure = base.hasPrefix("https://")
        var base = base
        if !base.contains("://") { base = "http://" + base }
        guard isSecure || base.hasPrefix("http://"), let mark = base.firstRange(of: "://") else {
            throw APIError(.badRequest, "unable to parse the data source URL: only http and https are possible")
        }
        let rest = base[mark.upperBound...]
        var authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        guard !authority.isEmpty else { throw APIError(.badRequest, "the data source has no URL") }
        var path = path
        var prefix = rest[authority.endIndex...].prefix { $0 != "?" && $0 != "#" }
        while prefix.last == "/" { prefix = prefix.dropLast() }
        if !path.isEmpty || prefix.isEmpty { path = "/" + path }
        let baseQuery = rest.firstIndex(of: "?").map { rest[rest.index(after: $0)...].prefix { $0 != "#" } } ?? ""
        let queries = [String(baseQuery), query].filter { !$0.isEmpty }.joined(separator: "&")
        let target = String(prefix) + path + (queries.isEmpty ? "" : "?" + queries)
        self.authority = String(authority)
        requestTarget = URLText.escaped(target)
        url = (isSecure ? "https://" : "http://") + authority + requestTarget
        let bracket = authority.lastIndex(of: "]") ?? authority.startIndex
        let colon = authority[bracket...].lastIndex(of: ":")
        host = String(authority[..<(colon ?? authority.endIndex)].filter { $0 != "[" && $0 != "]" })
        port = colon.flatMap { Int(authority[authority.index(after: $0)...]) } ?? (isSecure ? 443 : 80)
    }
}
