// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
public import PluginABI

/// The request struct of a call with everything that it points to.
///
/// Safety: written in `init` only; freed when the call, which may run on any thread, has ended.
final class RequestMemory: @unchecked Sendable {
    private var arena = CArena()
    let pointer: UnsafeRawPointer?

    private init(_ make: (inout CArena) -> UnsafeRawPointer?) {
        var arena = CArena()
        pointer = make(&arena)
        self.arena = arena
    }

    static func queries(_ queries: [DataQuery]) -> RequestMemory {
        RequestMemory { arena in
            var all: [gf_query] = []
            for query in queries {
                var value = gf_query()
                value.struct_size = UInt32(MemoryLayout<gf_query>.size)
                value.ref_id = arena.text(query.refID)
                value.query_type = arena.text(query.queryType)
                value.json = arena.text(query.json.text)
                value.from = query.from.nanoseconds
                value.to = query.to.nanoseconds
                value.interval = query.interval.nanoseconds
                value.max_data_points = Int64(query.maxDataPoints)
                value.max_rows = Int64(query.maxRows ?? 0)
                all.append(value)
            }
            var request = gf_query_request()
            request.struct_size = UInt32(MemoryLayout<gf_query_request>.size)
            request.query_count = UInt32(queries.count)
            request.queries = arena.array(all)
            return UnsafeRawPointer(arena.array([request]))
        }
    }

    static func health(depth: UInt32) -> RequestMemory {
        RequestMemory { arena in
            let request = gf_health_request(struct_size: UInt32(MemoryLayout<gf_health_request>.size), depth: depth)
            return UnsafeRawPointer(arena.array([request]))
        }
    }

    static func resource(_ call: ResourceCall) -> RequestMemory {
        RequestMemory { arena in
            var request = gf_resource_request()
            request.struct_size = UInt32(MemoryLayout<gf_resource_request>.size)
            request.method = arena.text(call.method)
            request.path = arena.text(call.path)
            request.query = arena.text(call.query)
            request.headers = arena.pairs(call.headers)
            request.header_count = UInt32(call.headers.count)
            request.content_length = Int64(call.body.count)
            return UnsafeRawPointer(arena.array([request]))
        }
    }

    static func stream(_ stream: StreamRequest) -> RequestMemory {
        RequestMemory { arena in
            var request = gf_stream_request()
            request.struct_size = UInt32(MemoryLayout<gf_stream_request>.size)
            request.path = arena.text(stream.path)
            request.data = arena.bytes(stream.data)
            request.resume_token = arena.bytes(stream.resumeToken)
            return UnsafeRawPointer(arena.array([request]))
        }
    }
}

/// A request below `resources/` of a data source.
public struct ResourceCall: Sendable {
    /// Upper case.
    public var method: String
    /// Without leading slash and query; percent-encoding kept.
    public var path: String
    /// Without `?`; percent-encoding kept.
    public var query: String
    /// Without hop-by-hop headers and the caller's credentials.
    public var headers: HTTPHeaders
    /// The whole body as the client sent it; empty when it sent none.
    public var body: [UInt8]

    /// Makes a request whose values the caller has cleaned already: nothing is checked here.
    public init(method: String, path: String, query: String = "", headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
    }
}
