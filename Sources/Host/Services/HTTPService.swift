// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import CPluginABI
internal import NIOCore
internal import NIOHTTP1
internal import PluginABI

/// `gf.http/1`: requests of plugins, sent by the server's HTTP client.
enum HTTPService {
    static func table() -> gf_http_host {
        var table = gf_http_host()
        table.struct_size = UInt32(MemoryLayout<gf_http_host>.size)
        table.request = { host, call, request, requestOut in
            requestOut?.pointee = 0
            guard let runtime = PluginRuntime.from(host), let call, let request = adopt(request), let requestOut else {
                return GF_STATE
            }
            return HTTPService.begin(request, call, runtime, requestOut)
        }
        table.head = { host, request, headOut in
            guard let runtime = PluginRuntime.from(host), let exchange = runtime.exchanges[request], let headOut else {
                return GF_STATE
            }
            return runtime.answer(while: exchange.isWanted) { exchange.head(into: headOut) }
        }
        table.read = { host, request, chunkOut, lengthOut in
            chunkOut?.pointee = gf_buffer()
            lengthOut?.pointee = 0
            guard let runtime = PluginRuntime.from(host), let exchange = runtime.exchanges[request], let chunkOut else {
                return GF_STATE
            }
            var chunk: ByteBuffer?
            let status = runtime.answer(while: exchange.isWanted) {
                switch exchange.nextChunk() {
                case .status(let status): return status
                case .chunk(let buffer):
                    chunk = buffer
                    return GF_OK
                }
            }
            guard let chunk else { return status }
            let memory = HostMemory(chunk)
            let lent = runtime.buffers.lend(memory, into: chunkOut)
            if lent == GF_OK { lengthOut?.pointee = UInt64(memory.capacity) }
            return lent
        }
        table.error = { host, request in PluginRuntime.from(host)?.exchanges[request]?.errorText ?? gf_str() }
        table.close = { host, request in PluginRuntime.from(host)?.exchanges.remove(request)?.endWithCall() }
        return table
    }

    private static func begin(
        _ request: gf_http_request, _ call: OpaquePointer, _ runtime: PluginRuntime,
        _ requestOut: UnsafeMutablePointer<UInt64>
    ) -> gf_status {
        let facts = runtime.calls?.withRunning(call) { state, _ in (state.deadline, state.bytesLeft) }
        guard let (deadline, bytesLeft) = facts else { return GF_STATE }
        let maxBytes = request.max_bytes == 0 ? bytesLeft : Int64(clamping: request.max_bytes)
        let exchange = HTTPCall(
            maxBytes: maxBytes, client: runtime.services.http, wake: runtime.waking(call, with: GF_EVENT_HTTP))
        exchange.isWanted = runtime.wanting(call)
        let id = runtime.exchanges.add(exchange)
        exchange.id = id
        requestOut.pointee = id
        let isKept = runtime.calls?.withRunning(call) { state, _ in
            state.resources.add(HTTPCallEnd(runtime: runtime, id: id))
        }
        guard isKept == true else { return GF_STATE }
        do {
            let configuration = runtime.configurations[request.config]
            guard configuration != nil || request.config == 0 else {
                throw PluginError(.state, "configuration \(request.config) is none of plugin '\(runtime.id)'")
            }
            let outgoing = try OutgoingRequest(request, configuration, defaults: runtime.services.httpDefaults)
            try runtime.permittedHosts?.check(outgoing, configuration)
            let remaining = deadline == .max ? Int64.max : max(0, deadline &- MonotonicTime.now)
            let timeout = min(outgoing.timeout.nanoseconds, remaining)
            exchange.start(outgoing.request, deadline: .now() + .nanoseconds(timeout))
            return GF_OK
        } catch let error as PluginError {
            exchange.fail(error)
            return error.code.rawValue
        } catch {
            exchange.fail(PluginError(.invalid, "\(error)"))
            return GF_INVALID
        }
    }
}

/// Ends a request that its plugin left open when the call completes.
private final class HTTPCallEnd: CallResource {
    static let maxPerCall = Int.max
    private let runtime: PluginRuntime
    private let id: UInt64

    init(runtime: PluginRuntime, id: UInt64) {
        self.runtime = runtime
        self.id = id
    }

    func endWithCall() { runtime.exchanges.remove(id)?.endWithCall() }
}
