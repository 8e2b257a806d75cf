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

    /// How an answer is sent, beside its results.
    private struct Delivery {
        var format: QueryEncoder.Format
        /// Of all calls together; nil: no data source asks for caching.
        var cacheStatus: CacheStatus?
        /// When a query failed.
        var failedStatus: HTTPStatus
    }

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.post("api/ds/query", use: query)
    }

    /// Runs the queries, one call a data source, and answers with their frames.
    ///
    /// A small answer is collected, so that its status is exact: 200, or 400 when a query failed. A large one (from 1 MiB)
    /// streams with the status that holds until then, and what fails later says so in its own result.
    @Sendable
    func query(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.viewer, "datasources:query")
        let limits = services.options.limits
        let body = try await request.collect(upTo: limits.bodyBytes)
        let wanted = try QueryRequest(
            body: Array(body.readableBytesView), now: Date().epochMilliseconds, limit: limits.queriesPerRequest)
        let isArrow = request.headers[.accept]?.contains(Self.arrowType) == true
        var delivery = Delivery(
            format: isArrow ? .arrowStream : .json, cacheStatus: nil,
            failedStatus: services.options.featureToggles.contains("datasourceQueryMultiStatus")
                ? HTTPStatus(code: 207, reasonPhrase: "Multi-Status") : .badRequest)
        let facts = CallerFacts(request, context, services.options)
        if wanted.hasExpressions {
            let expressions = ExpressionQueries(services: services, identity: identity, facts: facts)
            return try await answer(wanted, expressions, context, delivery)
        }
        let services = services
        let format = delivery.format
        let (run, cacheStatus, isWhole) = try await services.connections.whileConnected(context.channel) {
            let (run, cacheStatus) = try await start(wanted.items, identity, facts, format)
            return (run, cacheStatus, await run.collect())
        }
        delivery.cacheStatus = cacheStatus
        if let failure = await run.wholeFailure { throw APIError(calling: failure, fallback: "Query data error") }
        return try await isWhole ? whole(run, delivery) : streamed(run, context, delivery)
    }

    /// The answer to a request with expressions, whose results are all known before the first byte.
    private func answer(
        _ wanted: QueryRequest, _ expressions: ExpressionQueries, _ context: APIContext, _ delivery: Delivery
    ) async throws -> Response {
        var delivery = delivery
        let (results, cacheStatus) = try await services.connections.whileConnected(context.channel) {
            try await expressions.run(wanted.items)
        }
        delivery.cacheStatus = cacheStatus
        let run = QueryRun(results: results, format: delivery.format)
        guard results.estimatedBytes >= QueryRun.streamingThreshold else { return try await whole(run, delivery) }
        return await streamed(run, context, delivery)
    }

    private static let arrowType = "application/vnd.apache.arrow.stream"

    /// Starts the calls.
    private func start(
        _ items: [QueryRequest.Item], _ identity: Identity, _ facts: CallerFacts, _ format: QueryEncoder.Format
    ) async throws -> (QueryRun, CacheStatus?) {
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
        let run = QueryRun(calls: calls, failures: failures, format: format)
        return (run, CacheStatus(calls.map(\.events.cacheStatus)))
    }

    // MARK: Answers

    private func whole(_ run: QueryRun, _ delivery: Delivery) async throws -> Response {
        let (status, headers) = await head(run, delivery)
        var body = ByteBuffer()
        while let piece = await run.nextBytes() {
            if body.readableBytes == 0 { body = piece } else { body.writeImmutableBuffer(piece) }
        }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    private func streamed(_ run: QueryRun, _ context: APIContext, _ delivery: Delivery) async -> Response {
        let (status, headers) = await head(run, delivery)
        let isArrow = headers[.contentType] == Self.arrowType
        let connections = services.connections
        let channel = context.channel
        let body = ResponseBody { writer in
            while let piece = try await connections.whileConnected(channel, { await run.nextBytes() }) {
                for part in piece.pieces(of: QueryRun.pieceSize) { try await writer.write(part) }
            }
            if isArrow, await run.hasErrors { throw APIError(.internalServerError, "Query data error") }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }

    /// Status and header by what is known now; an answer with an error is JSON.
    private func head(_ run: QueryRun, _ delivery: Delivery) async -> (HTTPStatus, HTTPFields) {
        let hasErrors = await run.hasErrors
        if hasErrors { await run.useJSON() }
        let isArrow = delivery.format == .arrowStream && !hasErrors
        var headers: HTTPFields = [.contentType: isArrow ? Self.arrowType : "application/json; charset=UTF-8"]
        if let status = delivery.cacheStatus, let name = HTTPField.Name("X-Cache") { headers[name] = status.rawValue }
        return (hasErrors ? delivery.failedStatus : .ok, headers)
    }
}

extension CacheStatus {
    /// What several calls say together: a hit when none of those that may be kept had to be made.
    init?(_ calls: some Sequence<CacheStatus?>) {
        let known = calls.compactMap { $0 }
        guard let first = known.first else { return nil }
        self = known.contains(.miss) ? .miss : first
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
