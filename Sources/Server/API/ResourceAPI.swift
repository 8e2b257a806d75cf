// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI
import PluginHost
import Storage

/// Health checks of data sources, and their resources.
struct ResourceAPI: Sendable {
    let services: ServerServices

    private static let methods: [RequestMethod] = [.get, .post, .put, .patch, .delete]

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/datasources/uid/:uid/health") { try await health($0, $1, .uid($1.parameter("uid"))) }
        router.get("api/datasources/:id/health") { try await health($0, $1, id($1)) }
        for method in Self.methods {
            for suffix in ["", "/**"] {
                router.on(RouterPath("api/datasources/uid/:uid/resources" + suffix), method: method) {
                    try await resource($0, $1, .uid($1.parameter("uid")), parts: 5)
                }
                router.on(RouterPath("api/datasources/:id/resources" + suffix), method: method) {
                    try await resource($0, $1, id($1), parts: 4)
                }
            }
        }
    }

    @Sendable
    private func id(_ context: APIContext) throws -> DataSourceReference {
        guard let id = Int64(try context.parameter("id")) else { throw APIError(.badRequest, "id is invalid") }
        return .id(id)
    }

    @Sendable
    private func health(
        _ request: Request, _ context: APIContext, _ reference: DataSourceReference
    ) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.viewer, "datasources:query")
        let source = try await services.resolver.find(reference, orgID: identity.orgID)
        let facts = CallerFacts(request, context, services.options).callFacts(for: source)
        let platform = services.platform
        do {
            let result = try await services.connections.whileConnected(context.channel) {
                try await platform.checkHealth(of: source.configuration, facts: facts)
            }
            return Self.answer(result)
        } catch let error as PluginError {
            throw APIError(calling: error, fallback: "Plugin health check failed")
        }
    }

    /// 200 for a healthy source, else 400; the body is the same.
    static func answer(_ result: HealthResult, unhealthy: HTTPStatus = .badRequest) -> Response {
        var object: JSONObject = ["status": .string(result.status.name), "message": .string(result.message)]
        if let details = result.details, details.object != nil { object["details"] = details }
        return .json(.object(object), status: result.status == .ok ? .ok : unhealthy)
    }

    @Sendable
    private func resource(
        _ request: Request, _ context: APIContext, _ reference: DataSourceReference, parts: Int
    ) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.viewer, "datasources:query")
        let path = request.rawPath(afterParts: parts)
        guard !Self.climbs(path) else { throw APIError(.badRequest, "invalid path") }
        let source = try await services.resolver.find(reference, orgID: identity.orgID)
        let body = try await request.collect(upTo: services.options.limits.bodyBytes)
        let facts = CallerFacts(request, context, services.options)
        let call = ResourceCall(
            method: request.method.rawValue, path: path, query: request.rawQuery,
            headers: facts.resourceHeaders(for: source), body: Array(body.readableBytesView))
        let platform = services.platform
        do {
            let answer = try await services.connections.whileConnected(context.channel) {
                try await platform.callResource(call, of: source.configuration, facts: facts.callFacts(for: source))
            }
            return response(answer, context)
        } catch let error as PluginError {
            throw APIError(calling: error, fallback: "Plugin request failed")
        }
    }

    /// Whether a path has a part `..` once its escapes are decoded, be it between slashes or backslashes.
    ///
    /// A plugin that puts the path behind the URL of its server would leave the place that its settings name.
    static func climbs(_ path: String) -> Bool {
        // Malformed escapes and what is not UTF-8 stay as they are here: what surrounds them is looked at all the same.
        var bytes: [UInt8] = []
        var rest = Array(path.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                rest.count >= 2
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
            .contains { $0.elementsEqual("..".utf8) }
    }

    /// Passes an answer on as the plugin gave it, its body as it comes.
    private func response(_ answer: ResourceAnswer, _ context: APIContext) -> Response {
        var headers = HeaderRules.answer(answer.headers.map { (name: $0.name, value: $0.value) })
        let status = HTTPStatus(code: (200...599).contains(answer.status) ? answer.status : 500)
        let hasBody = status != .noContent && status != .notModified
        if headers[.contentType] == nil, hasBody { headers[.contentType] = "application/json" }
        headers[.contentSecurityPolicy] = "sandbox"
        let length = headers[.contentLength].flatMap { Int($0) }
        headers[.contentLength] = nil
        guard hasBody else { return Response(status: status, headers: headers) }
        let connections = services.connections
        let channel = context.channel
        let body = ResponseBody(contentLength: length) { writer in
            let box = BodyWriterBox(writer)
            try await connections.whileConnected(channel) {
                try await answer.forEachChunk { try await box.write($0.byteBuffer) }
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }
}

/// Lets a body be written by the one task that runs while its client is connected.
///
/// Safety: the task that made the box waits until the task that writes has ended.
final class BodyWriterBox: @unchecked Sendable {
    private var writer: any ResponseBodyWriter

    init(_ writer: any ResponseBodyWriter) {
        self.writer = writer
    }

    func write(_ buffer: ByteBuffer) async throws {
        for piece in buffer.pieces(of: QueryRun.pieceSize) { try await writer.write(piece) }
    }
}

extension APIError {
    /// The answer to a call that did not work out: a plugin that is not installed is 404.
    init(calling error: PluginError, fallback: String) {
        guard error.code == .notFound, error.source == .host else {
            self.init(error, fallback: fallback)
            return
        }
        self.init(.notFound, "Plugin not registered", messageID: "plugin.notRegistered")
        extra["error"] = .string(error.message)
    }
}
