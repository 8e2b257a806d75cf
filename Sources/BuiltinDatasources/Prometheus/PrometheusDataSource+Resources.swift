// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization

extension PrometheusDataSource: CallResourceHandler {
    /// Passes requests on to the server; `version-detect` and `suggestions` are answered here.
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let path = String(request.path.drop { $0 == "/" })
        switch path {
        case "version-detect":
            try await detectVersion(context, into: response)
        case "suggestions" where request.method == "POST":
            try await suggest(request, context: context, into: response)
        case _ where settings.method == "GET" && request.method == "POST":
            try await response.respond(status: 405, text: "this data source is set to use GET requests only")
        default:
            try await passOn(request, path: path, context: context, into: response)
        }
    }

    private func passOn(
        _ request: ResourceRequest, path: String, context: CallContext, into response: ResourceResponder
    ) async throws {
        guard ResourcePath.isBelowRoot(path) else {
            throw PluginError(.invalid, "the resource path \"\(path.prefix(200))\" leaves the data source's URL")
        }
        var headers = PrometheusSettings.accepted
        for name in ["Accept", "Content-Type"] {
            if let value = request.headers[name] { headers[name] = value }
        }
        if request.method == "POST", headers["Content-Type"] == nil {
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        }
        let body = try await request.body(upTo: Self.maximumRequestBytes)
        let upstream = HTTPRequest(
            method: request.method, url: settings.url(path, query: request.query), headers: headers, body: body)
        try await forward(upstream, cache: request.headers["X-Grafana-Cache"], context: context, into: response)
    }

    private func forward(
        _ request: HTTPRequest, cache: String?, context: CallContext, into response: ResourceResponder
    ) async throws {
        let answer: HTTPResponse
        do {
            answer = try await context.http.send(request)
        } catch var error as PluginError {
            error.message = "error querying resource: \(error.message)"
            throw error
        }
        try await response.head(status: answer.status, headers: Self.forwarded(answer.headers, cache: cache))
        for try await chunk in answer.body { try await response.write(buffer: chunk) }
    }

    /// Requests are forms with selectors.
    private static let maximumRequestBytes = 4 << 20

    /// The headers of an answer without those of the connection; caching as the caller asked for it.
    static func forwarded(_ headers: HTTPHeaders, cache: String?) -> HTTPHeaders {
        let ofConnection: Set = [
            "connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade",
            "content-length",
        ]
        var result = HTTPHeaders()
        for (name, value) in headers where !ofConnection.contains(name.lowercased()) { result.add(name, value) }
        if let cache, !cache.isEmpty {
            result["X-Grafana-Cache"] = "y"
            result["Cache-Control"] = cache
        }
        return result
    }
}

// MARK: - Version

/// The answer to `version-detect`, kept for a minute.
final class VersionCache: Sendable {
    struct Entry: Sendable {
        var body: [UInt8]
        var until: Timestamp
    }

    private let entry = Mutex<Entry?>(nil)
    static let lifetimeNanoseconds: Int64 = 60_000_000_000

    func body(at now: Timestamp) -> [UInt8]? {
        entry.withLock { entry in
            guard let entry, now < entry.until else { return nil }
            return entry.body
        }
    }

    func keep(_ body: [UInt8], from now: Timestamp) {
        let until = Timestamp(nanoseconds: now.nanoseconds &+ Self.lifetimeNanoseconds)
        entry.withLock { $0 = Entry(body: body, until: until) }
    }
}

extension PrometheusDataSource {
    private func detectVersion(_ context: CallContext, into response: ResourceResponder) async throws {
        let headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let body = versionCache.body(at: host.now) {
            try await response.head(status: 200, headers: headers)
            return try await response.write(body)
        }
        let answer = try await context.http.send(
            HTTPRequest(url: settings.url(Self.buildInfoPath, query: ""), headers: PrometheusSettings.accepted))
        let body = try await answer.collect(upTo: Self.maximumBuildInfoBytes)
        if answer.status == 200 { versionCache.keep(body, from: host.now) }
        try await response.head(status: answer.status, headers: Self.forwarded(answer.headers, cache: nil))
        try await response.write(body)
    }
}

// MARK: - Suggestions

extension PrometheusDataSource {
    private func suggest(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let body = try await request.body(upTo: Self.maximumRequestBytes)
        guard let value = try? JSONValue(parsing: body), let suggestion = SuggestionRequest(value) else {
            return try await response.respond(
                status: 400, text: "the body is not a JSON object of a suggestion request")
        }
        let url = settings.url(suggestion.path, query: FormEncoding.encode(suggestion.parameters))
        try await forward(
            HTTPRequest(url: url, headers: PrometheusSettings.accepted), cache: request.headers["X-Grafana-Cache"],
            context: context, into: response)
    }
}
