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
            guard let runtime = PluginRuntime.from(host) else { return GF_STATE }
            return runtime.head(of: runtime.exchanges[request], into: headOut)
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
        table.close = { host, request in
            guard let runtime = PluginRuntime.from(host) else { return }
            runtime.close(request, in: runtime.exchanges)?.endWithCall()
        }
        return table
    }

    private static func begin(
        _ request: gf_http_request, _ call: OpaquePointer, _ runtime: PluginRuntime,
        _ requestOut: UnsafeMutablePointer<UInt64>
    ) -> gf_status {
        guard let bytesLeft = runtime.calls?.withRunning(call, { state, _ in state.bytesLeft }) else { return GF_STATE }
        let exchange = HTTPCall(
            maxBytes: request.max_bytes == 0 ? bytesLeft : Int64(clamping: request.max_bytes),
            client: runtime.services.http, isWanted: runtime.wanting(call),
            wake: runtime.waking(call, with: GF_EVENT_HTTP))
        return runtime.begin(exchange, in: runtime.exchanges, of: call, config: request.config, idOut: requestOut) {
            try OutgoingRequest(request, $0, defaults: runtime.services.httpDefaults)
        } start: { outgoing, nanoseconds in
            exchange.start(outgoing.request, deadline: .now() + .nanoseconds(nanoseconds))
        }
    }
}
