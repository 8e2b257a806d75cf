// SPDX-License-Identifier: Apache-2.0
internal import PluginABI

/// The queries of one request to one data source, on their way to its plugin.
struct QueryCall: Sendable {
    var queries: [DataQuery]
    var source: DataSourceConfiguration
    var facts: CallFacts
    /// Counts the loads of the plugin; nil when it answers nothing.
    var pluginGeneration: Int?
}

/// A stage between the server and a plugin, through which all queries go.
protocol QueryMiddleware: Sendable {
    /// The stages behind, and at their end the plugin.
    typealias Next = @Sendable (QueryCall) async throws -> CallEvents

    /// Passes a call on, changed or not, or answers it.
    func query(_ call: QueryCall, next: Next) async throws -> CallEvents
}

extension [any QueryMiddleware] {
    /// Passes a call through all stages in their order.
    func query(_ call: QueryCall, plugin: @escaping QueryMiddleware.Next) async throws -> CallEvents {
        guard let first else { return try await plugin(call) }
        let rest = Array(dropFirst())
        return try await first.query(call) { try await rest.query($0, plugin: plugin) }
    }
}

/// Bounds the rows of queries that ask for no number of their own.
struct RowLimit: QueryMiddleware {
    /// nil: only the bytes of a call are bounded.
    let maximum: Int?

    func query(_ call: QueryCall, next: Next) async throws -> CallEvents {
        var call = call
        for index in call.queries.indices { call.queries[index].maxRows = call.queries[index].maxRows ?? maximum }
        return try await next(call)
    }
}
