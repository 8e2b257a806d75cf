// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import PluginABI
import PluginHost
import Storage

/// What a plugin learns about the request behind a call.
struct CallerFacts: Sendable {
    private let headers: HTTPFields
    /// Whether `skipQueryCache=true` is in the URL, which says what the header `X-Cache-Skip` does.
    private let skipsCache: Bool
    private let principal: Principal?
    private let trace: TraceContext
    private let options: ServerOptions

    /// Headers that go on to queries and health checks; see `docs/http-api.md`.
    private static let forwarded = [
        "x-query-group-id", "x-panel-id", "x-dashboard-uid", "x-datasource-uid", "x-grafana-from-expr",
        "x-grafana-org-id", "x-panel-plugin-id", "x-plugin-id", "x-dashboard-title", "x-panel-title", "fromalert",
        "x-cache-skip", "x-rule-name", "x-rule-folder", "x-rule-source", "x-rule-type", "x-rule-version", "x-rule-uid",
    ]

    init(_ request: Request, _ context: APIContext, _ options: ServerOptions) {
        headers = request.headers
        skipsCache = request.rawQuery.split(separator: "&").contains("skipQueryCache=true")
        principal = context.identity?.principal
        trace = context.trace
        self.options = options
    }

    /// For a query, a health check or a stream.
    ///
    /// - Parameter isFromExpression: Whether expressions use the answer, which the plugin may want to know.
    func callFacts(for source: ResolvedDataSource, isFromExpression: Bool = false) -> CallFacts {
        var fields: [String: String] = [:]
        for name in Self.forwarded {
            guard let field = HTTPField.Name(name), let value = headers[field] else { continue }
            fields[name] = value.unicodeScalars.allSatisfy(\.isASCII) ? value : nil
        }
        if skipsCache { fields["x-cache-skip"] = "true" }
        if isFromExpression { fields["x-grafana-from-expr"] = "true" }
        if let cookie = keptCookies(of: source) { fields["cookie"] = cookie }
        if options.proxy.sendsUserHeader, let principal { fields["x-grafana-user"] = principal.login }
        return CallFacts(
            principal: principal, headers: fields, traceParent: trace.traceParent,
            locale: headers[.acceptLanguage].map { String($0.prefix { $0 != "," && $0 != ";" }.prefix(35)) } ?? "")
    }

    /// The request's own headers for a resource call, without those that are the connection's or the caller's secrets.
    func resourceHeaders(for source: ResolvedDataSource?) -> HTTPHeaders {
        var result = HTTPHeaders()
        for (name, value) in HeaderRules.forwardable(headers) where name != "user-agent" { result.add(name, value) }
        if let source, let cookie = keptCookies(of: source) { result.add("cookie", cookie) }
        if options.proxy.sendsUserHeader, let principal { result.add("x-grafana-user", principal.login) }
        result.add("traceparent", trace.traceParent)
        return result
    }

    /// The cookies that the source's `keepCookies` names, never the session's.
    func keptCookies(of source: ResolvedDataSource) -> String? {
        guard let kept = source.configuration.settings.jsonData["keepCookies"]?.array?.compactMap(\.string),
            !kept.isEmpty
        else { return nil }
        let fields: [Substring] = headers[values: .cookie].flatMap { $0.split(separator: ";") }
        let pairs = fields.map { $0.drop { $0 == " " } }
        let chosen = pairs.filter { pair in
            let name = String(pair.prefix { $0 != "=" })
            return kept.contains(name) && name != options.cookieName
        }
        return chosen.isEmpty ? nil : chosen.joined(separator: "; ")
    }
}

/// Which header fields pass through the server.
enum HeaderRules {
    /// Fields that belong to one connection.
    private static let hopByHop: Set<String> = [
        "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]
    /// Fields that say who the caller is to this server.
    private static let credentials: Set<String> = ["authorization", "cookie", "x-grafana-device-id", "x-grafana-id"]

    /// A request's fields without those of the connection, the caller's credentials and the length; names in lower case.
    static func forwardable(_ fields: HTTPFields) -> [(name: String, value: String)] {
        let named = namedByConnection(fields)
        return fields.compactMap { field in
            let name = field.name.canonicalName
            guard !hopByHop.contains(name), !credentials.contains(name), !named.contains(name),
                name != "content-length",
                name != "host", name != "traceparent", name != "expect"
            else { return nil }
            return (name, field.value)
        }
    }

    /// The fields of an answer that the client gets.
    static func answer(_ fields: some Sequence<(name: String, value: String)>) -> HTTPFields {
        let all = Array(fields)
        let connection = all.filter { $0.name.lowercased() == "connection" }.map(\.value).joined(separator: ",")
        let named = Set(connection.lowercased().split(separator: ",").map { $0.filter { $0 != " " } })
        var result = HTTPFields()
        for (name, value) in all {
            let lower = name.lowercased()
            guard !hopByHop.contains(lower), lower != "set-cookie", !named.contains(lower), lower != "user-agent",
                let name = HTTPField.Name(name), HTTPField.isValidValue(value)
            else { continue }
            result.append(HTTPField(name: name, value: value))
        }
        return result
    }

    private static func namedByConnection(_ fields: HTTPFields) -> Set<String> {
        guard let connection = fields[.connection] else { return [] }
        return Set(connection.lowercased().split(separator: ",").map { $0.filter { $0 != " " } })
    }
}
