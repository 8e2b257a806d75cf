// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension LokiDataSource: CallResourceHandler {
    /// Endpoints of the API that clients may ask, all with GET.
    private static let endpoints: Set = [
        "labels", "series", "index/stats", "index/volume", "index/volume_range", "detected_fields", "detected_labels",
        "patterns", "drilldown-limits",
    ]

    /// The same with a name and `/values` behind.
    private static let families = ["label/", "detected_field/"]

    /// Passes requests for labels, series and the like on to the server.
    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let path = String(request.path.drop { $0 == "/" })
        if path == "suggestions", request.method == "POST" {
            return try await suggest(request, context, into: response)
        }
        guard request.method == "GET" else {
            throw PluginError(.invalid, "invalid resource method: \(request.method)")
        }
        guard Self.isAllowed(path) else {
            let url = request.query.isEmpty ? path : "\(path)?\(request.query)"
            throw PluginError(.invalid, "invalid resource URL: \(url.prefix(200))")
        }
        try await passOn(path, query: request.query, context, into: response)
    }

    static func isAllowed(_ path: String) -> Bool {
        guard ResourcePath.isBelowRoot(path) else { return false }
        return endpoints.contains(path) || families.contains { path.hasPrefix($0) && path.count > $0.count }
    }

    private func passOn(
        _ path: String, query: String, _ context: CallContext, into response: ResourceResponder
    ) async throws {
        let request = HTTPRequest(url: settings.url(path, query: query), headers: LokiSettings.accepted)
        let answer = try await context.http.send(request)
        if (400..<600).contains(answer.status) { return try await refuse(answer, context, into: response) }
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let encoding = answer.headers["content-encoding"] { headers["Content-Encoding"] = encoding }
        try await response.head(status: answer.status, headers: headers)
        for try await chunk in answer.body { try await response.write(buffer: chunk) }
    }

    /// The server's error: one of the client as JSON with the same status, one of the server as an error of the call.
    private func refuse(
        _ answer: HTTPResponse, _ context: CallContext, into response: ResourceResponder
    ) async throws {
        let body = try await answer.collectPrefix(UpstreamStatus.maximumErrorBytes)
        guard answer.status < 500 else { throw UpstreamStatus.lokiError(status: answer.status, body: body) }
        var object: JSONObject = [
            "message": .string(UpstreamStatus.lokiMessage(status: answer.status, body: body))
        ]
        if let parts = context.traceContext?.split(separator: "-"), parts.count > 2 {
            object["traceID"] = .string(String(parts[1]))
        }
        try await response.respond(status: answer.status, json: .object(object))
    }
}

// MARK: - Suggestions

extension LokiDataSource {
    private static let maximumRequestBytes = 4 << 20

    /// Names of labels, or values of one: the body is `{"labelName"?, "query"?, "start"?, "end"?}`.
    private func suggest(
        _ request: ResourceRequest, _ context: CallContext, into response: ResourceResponder
    ) async throws {
        let body = try await request.body(upTo: Self.maximumRequestBytes)
        guard let value = try? JSONValue(parsing: body), value.object != nil else {
            return try await response.respond(
                status: 400, json: ["message": "the body is not a JSON object of a suggestion request"])
        }
        var pairs: [FormEncoding.Pair] = []
        for key in ["query", "start", "end"] {
            let text = value[key]?.string ?? value[key]?.int.map(String.init) ?? ""
            if !text.isEmpty { pairs.append((key, text)) }
        }
        let name = value["labelName"]?.string ?? ""
        let path = name.isEmpty ? "labels" : "label/\(FormEncoding.escape(name, spaceAsPlus: false))/values"
        try await passOn(path, query: FormEncoding.encode(pairs), context, into: response)
    }
}
