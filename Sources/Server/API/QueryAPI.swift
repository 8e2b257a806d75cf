// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI
import PluginHost
import Storage

/// `POST /api/ds/query`.
struct QueryAPI: Sendable {
    let services: ServerServices

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.post("api/ds/query", use: query)
    }

    /// Runs the queries, one call a data source, and answers with their frames.
    ///
    /// A small answer is collected, so that its status is exact: 200, or 400 when a query failed. A large one (from 1 MiB)
    /// streams with status 200, and what fails later says so in its own result.
    @Sendable
    func query(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.viewer, "datasources:query")
        let limits = services.options.limits
        let body = try await request.collect(upTo: limits.bodyBytes)
        let wanted = try QueryRequest(
            body: Array(body.readableBytesView), now: Date().epochMilliseconds, limit: limits.queriesPerRequest)
        let format: QueryEncoder.Format =
            request.headers[.accept]?.contains(Self.arrowType) == true ? .arrowStream : .json
        let facts = CallerFacts(request, context, services.options)
        if wanted.hasExpressions {
            let expressions = ExpressionQueries(services: services, identity: identity, facts: facts)
            return try await answer(wanted, expressions, context, format)
        }
        let services = services
        let run = try await start(wanted.items, identity, facts, format)
        let isWhole = try await services.connections.whileConnected(context.channel) { await run.collect() }
        if let failure = await run.wholeFailure { throw APIError(calling: failure, fallback: "Query data error") }
        guard isWhole else { return streamed(run, context, format) }
        return try await whole(run, format)
    }

    /// The answer to a request with expressions, whose results are all known before the first byte.
    private func answer(
        _ wanted: QueryRequest, _ expressions: ExpressionQueries, _ context: APIContext, _ format: QueryEncoder.Format
    ) async throws -> Response {
        let results = try await services.connections.whileConnected(context.channel) {
            try await expressions.run(wanted.items)
        }
        let format = results.hasErrors ? .json : format
        let run = QueryRun(results: results, format: format)
        guard results.estimatedBytes >= QueryRun.streamingThreshold else { return try await whole(run, format) }
        return streamed(run, context, format, status: results.hasErrors ? .badRequest : .ok)
    }

    private static let arrowType = "application/vnd.apache.arrow.stream"

    /// Starts the calls.
    private func start(
        _ items: [QueryRequest.Item], _ identity: Identity, _ facts: CallerFacts, _ format: QueryEncoder.Format
    ) async throws -> QueryRun {
        var groups: [(source: ResolvedDataSource, queries: [DataQuery])] = []
        for item in items {
            let source = try await services.resolver.find(item.source, orgID: identity.orgID)
            if let place = groups.firstIndex(where: { $0.source.source.id == source.source.id }) {
                groups[place].queries.append(item.query)
            } else {
                groups.append((source, [item.query]))
            }
        }
        var calls: [(refIDs: [String], events: CallEvents)] = []
        var failures: [String: PluginError] = [:]
        for group in groups {
            do {
                let configuration = group.source.configuration
                let events = try await services.platform.queryData(
                    group.queries, of: configuration, facts: facts.callFacts(for: group.source))
                calls.append((group.queries.map(\.refID), events))
            } catch let error as PluginError {
                guard groups.count > 1 else { throw APIError(calling: error, fallback: "Query data error") }
                for query in group.queries { failures[query.refID] = error }
            }
        }
        return QueryRun(calls: calls, failures: failures, format: format)
    }

    private func whole(_ run: QueryRun, _ format: QueryEncoder.Format) async throws -> Response {
        let hasErrors = await run.hasErrors
        if hasErrors { await run.useJSON() }
        var body = ByteBuffer()
        while let piece = await run.nextBytes() {
            if body.readableBytes == 0 { body = piece } else { body.writeImmutableBuffer(piece) }
        }
        let isArrow = format == .arrowStream && !hasErrors
        return Response(
            status: hasErrors ? .badRequest : .ok,
            headers: [.contentType: isArrow ? Self.arrowType : "application/json; charset=UTF-8"],
            body: ResponseBody(byteBuffer: body))
    }

    private func streamed(
        _ run: QueryRun, _ context: APIContext, _ format: QueryEncoder.Format, status: HTTPStatus = .ok
    ) -> Response {
        let connections = services.connections
        let channel = context.channel
        let body = ResponseBody { writer in
            while let piece = try await connections.whileConnected(channel, { await run.nextBytes() }) {
                for part in piece.pieces(of: QueryRun.pieceSize) { try await writer.write(part) }
            }
            if format == .arrowStream, await run.hasErrors { throw APIError(.internalServerError, "Query data error") }
            try await writer.finish(nil)
        }
        let type = format == .arrowStream ? Self.arrowType : "application/json; charset=UTF-8"
        return Response(status: status, headers: [.contentType: type], body: body)
    }
}

extension ByteBuffer {
    /// The bytes in order, cut into pieces of at most `size` bytes that share the memory.
    func pieces(of size: Int) -> [ByteBuffer] {
        guard readableBytes > size else { return readableBytes > 0 ? [self] : [] }
        var rest = self
        var pieces: [ByteBuffer] = []
        while rest.readableBytes > 0, let piece = rest.readSlice(length: min(size, rest.readableBytes)) {
            pieces.append(piece)
        }
        return pieces
    }
}
