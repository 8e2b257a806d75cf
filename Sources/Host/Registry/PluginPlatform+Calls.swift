// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
public import PluginABI
internal import Synchronization

/// The calls of the platform. Queries pass ``PluginPlatform/queryMiddlewares`` first. Then each call is resolved to an
/// instance of its data source, and goes on with deadline and budget (the limits), identity and headers (the facts), metrics.
extension PluginPlatform {
    /// Runs the queries of one request against one data source.
    ///
    /// - Returns: what the plugin sends, as it arrives.
    /// - Throws: ``PluginError`` `.notFound` when the plugin is not installed, `.unsupported` when it answers no queries,
    ///   `.state` when it is switched off, and what its `create` said.
    public func queryData(
        _ queries: [DataQuery], of source: DataSourceConfiguration, facts: CallFacts
    ) async throws -> CallEvents {
        let entry = registry[source.settings.pluginID]
        let call = QueryCall(
            queries: queries, source: source, facts: facts,
            pluginGeneration: entry.flatMap { $0.generation == nil ? nil : $0.number })
        return try await queryMiddlewares.query(call) { call in
            try await self.events(of: .query(call.queries), source: call.source, facts: call.facts)
        }
    }

    /// Asks a data source whether it is usable.
    ///
    /// - Throws: ``PluginError`` when the check itself failed; `.unsupported` when the plugin has no health check.
    public func checkHealth(of source: DataSourceConfiguration, facts: CallFacts) async throws -> HealthResult {
        let answer = try await collect(events(of: .health, source: source, facts: facts))
        guard let head = answer.head else { return HealthResult(.unknown, "the plugin gave no answer") }
        let details = answer.bytes.isEmpty ? nil : try? JSONValue(parsing: answer.bytes)
        return HealthResult(
            HealthResult.Status(rawValue: head.status) ?? .unknown, head.message,
            details: details?.object == nil ? nil : details)
    }

    /// Passes an HTTP-like request to a data source.
    ///
    /// - Throws: ``PluginError``; `.unsupported` when the plugin answers none.
    public func callResource(
        _ request: ResourceCall, of source: DataSourceConfiguration, facts: CallFacts
    ) async throws -> ResourceAnswer {
        try await ResourceAnswer(events(of: .resource(request), source: source, facts: facts))
    }

    /// Asks whether a client may listen to a channel of a data source.
    public func subscribeStream(
        _ request: StreamRequest, of source: DataSourceConfiguration, facts: CallFacts
    ) async throws -> SubscribeAnswer {
        try await streamAnswer(events(of: .subscribe(request), source: source, facts: facts))
    }

    /// Passes a client's message to a channel; the answer's bytes are what its listeners get.
    public func publishStream(
        _ request: StreamRequest, of source: DataSourceConfiguration, facts: CallFacts
    ) async throws -> SubscribeAnswer {
        try await streamAnswer(events(of: .publish(request), source: source, facts: facts))
    }

    private func streamAnswer(_ events: CallEvents) async throws -> SubscribeAnswer {
        let answer = try await collect(events)
        guard let head = answer.head else { throw PluginError(.internal, "the plugin gave no answer") }
        let status = SubscribeAnswer.Status(rawValue: head.status) ?? .notFound
        return SubscribeAnswer(status: status, frame: answer.frame, bytes: answer.bytes)
    }

    /// Runs a channel of a data source until the reader stops, or its instance is replaced: the last event is then an
    /// error with the hint `instance-replaced`, and the caller starts it again with the last checkpoint.
    ///
    /// - Throws: the first error, before anything ran. Later ones come as the end of the events.
    public func runStream(
        _ request: StreamRequest, of source: DataSourceConfiguration, facts: CallFacts
    ) async throws -> CallEvents {
        try await events(of: .run(request), source: source, facts: facts)
    }

    /// What a plugin's own metrics say, in Prometheus's text format; nil when it is not installed.
    public func metricsText(pluginID: String) -> String? {
        registry[pluginID].map { $0.generation?.library.runtime.metrics.text ?? "" }
    }

    // MARK: The way to the plugin

    /// Makes a call of any kind.
    ///
    /// - Parameter limits: what it may use; nil: what is configured. A stream has neither a deadline nor a budget.
    package func events(
        of call: PluginCall, source: DataSourceConfiguration, facts: CallFacts, limits: CallLimits? = nil
    ) async throws -> CallEvents {
        let pluginID = source.settings.pluginID
        let instance = try await reserve(source, feature: call.feature)
        defer { instance.unreserve() }
        guard let calls = instance.runtime.calls else {
            throw PluginError(.state, "plugin '\(pluginID)' is not open", source: .host)
        }
        let observer = metrics.observer(
            pluginID: instance.runtime.id, endpoint: call.endpoint, level: instance.runtime.level, size: call.size)
        let queue = CallQueue(observer: observer)
        let request = call.request()
        var limits = limits ?? configuration.limits
        if call.isStream {
            limits.time = nil
            limits.bytes = .max
        } else if let asked = facts.timeLimit {
            limits.time = limits.time.map { min($0, asked) } ?? asked
        }
        let ticket = calls.begin(
            CallStart(
                kind: call.kind, request: request.pointer, memory: request, instance: instance, facts: facts,
                limits: limits, input: call.input, receiver: queue))
        queue.attach(ticket)
        if call.isStream, !instance.remember(stream: ticket) { ticket.cancel(.instanceReplaced) }
        return CallEvents(queue: queue)
    }

    /// Waits for an instance of the data source and keeps it from ending until `unreserve`.
    func reserve(_ source: DataSourceConfiguration, feature: String) async throws -> PluginInstance {
        let pluginID = source.settings.pluginID
        var refusedBy: PluginGeneration?
        while true {
            guard let entry = registry[pluginID] else {
                throw notRunning(pluginID)
            }
            guard let generation = entry.generation else {
                let what = entry.isDisabled ? "is switched off; enable it" : "has no backend; it answers no calls"
                throw PluginError(
                    entry.isDisabled ? .state : .unsupported, "plugin '\(pluginID)' \(what)", source: .host)
            }
            guard generation.library.has(extension: feature) else {
                throw PluginError(.unsupported, "plugin '\(pluginID)' does not have \(feature)", source: .host)
            }
            if let instance = try await generation.reserveInstance(for: source) { return instance }
            // The generation was replaced just now and its successor is registered, unless the server shuts down.
            guard generation !== refusedBy else {
                throw PluginError(.state, "plugin '\(pluginID)' is shutting down", source: .host)
            }
            refusedBy = generation
        }
    }

    /// Waits for the end of ``load()``, but no longer than that.
    public func waitUntilLoaded(atMost patience: Duration) async {
        let clock = ContinuousClock()
        let end = clock.now + patience
        while !isLoaded.load(ordering: .acquiring), clock.now < end, !Task.isCancelled {
            try? await clock.sleep(for: .milliseconds(2))
        }
    }

    /// The error for a plugin that is not registered: it was refused, or there is none.
    private func notRunning(_ id: String) -> PluginError {
        guard let refusal = refusals.first(where: { $0.pluginID == id && $0.isFault }) else {
            if !isLoaded.load(ordering: .acquiring) {
                return PluginError(
                    .state, "the server is still loading plugins, and '\(id)' is not there yet; try again in a moment",
                    source: .host, retryAfter: .seconds(1))
            }
            return PluginError(
                .notFound, "plugin '\(id)' is not installed; install it or choose another data source type",
                source: .host)
        }
        return PluginError(
            .notFound, "plugin '\(id)' does not run: \(refusal.message); \(refusal.remedy)", source: .host)
    }

    private func collect(
        _ events: CallEvents
    ) async throws -> (head: CallHead?, bytes: [UInt8], frame: DataFrame?) {
        var head: CallHead?
        var bytes: [UInt8] = []
        var frame: DataFrame?
        for await event in events {
            switch event {
            case .head(let value): head = value
            case .bytes(let chunk): bytes += chunk.array
            case .frame(_, let value): frame = frame ?? value
            case .completed(let error):
                if let error { throw error }
            case .rows, .notice, .failed, .checkpoint: break
            }
        }
        return (head, bytes, frame)
    }
}

/// The answer to a subscription or a publication.
public struct SubscribeAnswer: Sendable {
    /// The plugin's decision; raw values are those of `GF_STREAM_…`.
    public enum Status: Int32, Sendable {
        case ok = 0
        case notFound = 1
        case permissionDenied = 2
    }

    /// Whether the plugin agreed; `notFound` also when it gave a number that is none of these.
    public var status: Status
    /// The first message of the channel, if the plugin gave a frame.
    public var frame: DataFrame?
    /// The first message, if the plugin gave bytes; of a publication: what listeners get.
    public var bytes: [UInt8]
}

/// The answer to a resource request: its head is there, its body arrives while it is read.
public struct ResourceAnswer: Sendable {
    /// The HTTP status code as the plugin gave it, not checked for range; 200 without a head.
    public let status: Int
    /// The plugin's headers before hop-by-hop and other forbidden ones are taken out.
    public let headers: HTTPHeaders
    private let events: CallEvents.Iterator
    private let first: ByteChunk?

    /// Waits for the head.
    init(_ events: CallEvents) async throws {
        let iterator = events.makeAsyncIterator()
        var head: CallHead?
        var first: ByteChunk?
        reading: while let event = await iterator.next() {
            switch event {
            case .head(let value):
                head = value
                break reading
            case .bytes(let chunk):
                first = chunk
                break reading
            case .completed(let error):
                throw error ?? PluginError(.internal, "the plugin gave no answer")
            case .frame, .rows, .notice, .failed, .checkpoint: continue
            }
        }
        status = Int(head?.status ?? 200)
        headers = head?.headers ?? [:]
        self.first = first
        self.events = iterator
    }

    /// Hands the body to `write`, part by part, as fast as `write` takes it.
    ///
    /// - Throws: what `write` throws, which cancels the call; ``PluginError`` when the plugin failed in the middle.
    public func forEachChunk(_ write: (ByteChunk) async throws -> Void) async throws {
        if let first { try await write(first) }
        while let event = await events.next() {
            switch event {
            case .bytes(let chunk): try await write(chunk)
            case .completed(let error):
                if let error { throw error }
            case .head, .frame, .rows, .notice, .failed, .checkpoint: continue
            }
        }
    }
}
