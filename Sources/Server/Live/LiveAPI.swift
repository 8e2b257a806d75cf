// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI
import PluginHost
import ServiceLifecycle
import Storage

/// `GET /api/live/sse/ds/:uid/*`: the channels of data sources as Server-Sent Events.
///
/// Each event's data is a frame as JSON: schema and rows first, then rows only until the schema changes. The event `end`
/// says that the channel is over.
struct LiveAPI: Sendable {
    let services: ServerServices

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/live/sse/ds/:uid/**", use: listen)
    }

    @Sendable
    private func listen(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.viewer, "datasources:query")
        let limit = services.options.limits.liveListeners
        guard limit == 0 || services.metrics.listenerCount < limit else {
            throw APIError(.serviceUnavailable, "Too many live connections; raise [live] max_connections")
        }
        let uid = try context.parameter("uid")
        guard let path = request.rawPath(afterParts: 5).removingPercentEscapes, LivePath.isValid(uid: uid, path: path)
        else {
            throw APIError(.badRequest, "invalid channel")
        }
        let source = try await services.resolver.find(.uid(uid), orgID: identity.orgID)
        let facts = CallerFacts(request, context, services.options).callFacts(for: source)
        let data = Array((request.query("data") ?? "").utf8)
        let first = try await subscribe(path, data, source, facts)
        let key = LiveChannelKey(orgID: identity.orgID, uid: source.source.uid, path: path, data: data)
        return response(key, first, facts, context)
    }

    /// - Returns: The channel's first message, if it has one.
    private func subscribe(
        _ path: String, _ data: [UInt8], _ source: ResolvedDataSource, _ facts: CallFacts
    ) async throws -> [UInt8]? {
        let answer: SubscribeAnswer
        do {
            let request = StreamRequest(path: path, data: data)
            answer = try await services.platform.subscribeStream(request, of: source.configuration, facts: facts)
        } catch let error as PluginError {
            throw APIError(calling: error, fallback: "Plugin request failed")
        }
        switch answer.status {
        case .ok: break
        case .notFound: throw APIError(.notFound, "channel not found")
        case .permissionDenied: throw APIError.accessDenied("datasources:query")
        }
        guard let frame = answer.frame else { return answer.bytes.isEmpty ? nil : answer.bytes }
        var writer = ByteWriter()
        frame.writeJSON(into: &writer)
        return writer.finish()
    }

    private func response(
        _ key: LiveChannelKey, _ first: [UInt8]?, _ facts: CallFacts, _ context: APIContext
    ) -> Response {
        let services = services
        let channel = context.channel
        let body = ResponseBody { writer in
            let (live, number, messages) = services.live.join(key, facts: facts)
            services.metrics.listenerJoined()
            defer {
                live.leave(number)
                services.metrics.listenerLeft()
            }
            let box = BodyWriterBox(writer)
            try await box.write(ByteBuffer(string: "retry: 1000\n\n"))
            if let first { try await box.write(ByteBuffer(bytes: EventStreamText.event(data: first))) }
            do {
                try await services.connections.whileConnected(channel) {
                    for await message in messages.cancelOnGracefulShutdown() {
                        try await box.write(ByteBuffer(bytes: Self.text(message)))
                    }
                }
            } catch is CancellationError {
                // The client left; nothing is left to say.
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .connection: "close"], body: body)
    }

    private static func text(_ message: LiveMessage) -> [UInt8] {
        switch message {
        case .data(let bytes): EventStreamText.event(data: bytes)
        case .keepAlive: EventStreamText.keepAlive
        case .ended(let reason):
            EventStreamText.event(
                "end", data: JSONValue.object(reason.map { ["message": .string($0)] } ?? [:]).encoded().utf8)
        }
    }
}

/// The rules of channel names.
///
/// - SeeAlso: Grafana SDK for Go, `live/channel.go`: at most 160 characters in all.
enum LivePath {
    static func isValid(uid: String, path: String) -> Bool {
        guard !uid.isEmpty, !path.isEmpty, uid.utf8.count + path.utf8.count + 4 <= 160 else { return false }
        return uid.utf8.allSatisfy { isPlain($0) } && path.utf8.allSatisfy { isPlain($0) || $0 == 0x2F || $0 == 0x3D }
    }

    /// Letters, digits, `_`, `-` and `.`.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D, 0x2E: true
        default: false
        }
    }
}
