// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
package import PluginABI

/// What is asked of a data source, of any kind.
package enum PluginCall: Sendable {
    case query([DataQuery])
    case health
    case resource(ResourceCall)
    case subscribe(StreamRequest)
    case publish(StreamRequest)
    case run(StreamRequest)

    var kind: UInt32 {
        switch self {
        case .query: GF_CALL_QUERY
        case .health: GF_CALL_HEALTH
        case .resource: GF_CALL_RESOURCE
        case .subscribe: GF_CALL_SUBSCRIBE
        case .publish: GF_CALL_PUBLISH
        case .run: GF_CALL_RUN_STREAM
        }
    }

    /// The extension that a plugin has which answers it.
    var feature: String {
        switch self {
        case .query: GF_DATASOURCE_EXT
        case .health: GF_HEALTH_EXT
        case .resource: GF_RESOURCE_EXT
        case .subscribe, .publish, .run: GF_STREAM_EXT
        }
    }

    /// The name in the metrics.
    var endpoint: String {
        switch self {
        case .query: "queryData"
        case .health: "checkHealth"
        case .resource: "callResource"
        case .subscribe: "subscribeStream"
        case .publish: "publishStream"
        case .run: "runStream"
        }
    }

    /// The bytes of the request, for the metrics.
    var size: Int {
        switch self {
        case .query(let queries): queries.reduce(0) { $0 + $1.json.text.utf8.count }
        case .resource(let request): request.body.count
        case .subscribe(let request), .publish(let request): request.data.count
        case .health, .run: 0
        }
    }

    var isStream: Bool { if case .run = self { true } else { false } }

    var input: CallInput? { if case .resource(let request) = self { CallInput(request.body) } else { nil } }

    /// The request struct with everything that it points to.
    func request() -> RequestMemory {
        switch self {
        case .query(let queries): .queries(queries)
        case .health: .health(depth: GF_HEALTH_FULL)
        case .resource(let request): .resource(request)
        case .subscribe(let request), .publish(let request), .run(let request): .stream(request)
        }
    }
}
