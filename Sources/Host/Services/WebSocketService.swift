// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import NIOCore
internal import PluginABI

/// `gf.websocket/1`: connections of plugins that go both ways.
enum WebSocketService {
    static func table() -> gf_websocket_host {
        var table = gf_websocket_host()
        table.struct_size = UInt32(MemoryLayout<gf_websocket_host>.size)
        table.open = { host, call, request, socketOut in
            socketOut?.pointee = 0
            guard let runtime = PluginRuntime.from(host), let call, let request = adopt(request), let socketOut else {
                return GF_STATE
            }
            return WebSocketService.begin(request, call, runtime, socketOut)
        }
        table.head = { host, socket, headOut in
            guard let runtime = PluginRuntime.from(host) else { return GF_STATE }
            return runtime.head(of: runtime.sockets[socket], into: headOut)
        }
        table.receive = { host, socket, messageOut in
            guard let runtime = PluginRuntime.from(host), let socket = runtime.sockets[socket], let messageOut,
                Int(messageOut.pointee.struct_size) >= MemoryLayout<gf_websocket_message>.size
            else { return GF_STATE }
            messageOut.pointee = gf_websocket_message()
            messageOut.pointee.struct_size = UInt32(MemoryLayout<gf_websocket_message>.size)
            var next = WebSocketCall.Next.status(GF_AGAIN)
            let status = runtime.answer(while: socket.isWanted) {
                next = socket.receive()
                if case .status(let status) = next { return status }
                return GF_OK
            }
            return WebSocketService.hand(next, status, of: socket, runtime, messageOut)
        }
        table.send = { host, socket, kind, message in
            guard let runtime = PluginRuntime.from(host), let socket = runtime.sockets[socket] else { return GF_STATE }
            let status = socket.send(kind: kind, [UInt8](message))
            guard status == GF_AGAIN, runtime.isBlocking else { return status }
            return runtime.answer(while: socket.isWanted) { socket.hasRoom() }
        }
        table.error = { host, socket in PluginRuntime.from(host)?.sockets[socket]?.errorText ?? gf_str() }
        table.close = { host, socket, code, reason in
            guard let runtime = PluginRuntime.from(host) else { return }
            runtime.close(socket, in: runtime.sockets)?.close(code: code, reason: String(reason))
        }
        return table
    }

    private static func hand(
        _ next: WebSocketCall.Next, _ status: gf_status, of socket: WebSocketCall, _ runtime: PluginRuntime,
        _ out: UnsafeMutablePointer<gf_websocket_message>
    ) -> gf_status {
        switch next {
        case .message(let kind, let data):
            let memory = HostMemory(data)
            let lent = runtime.buffers.lend(memory, into: &out.pointee.data)
            guard lent == GF_OK else { return lent }
            out.pointee.kind = kind
            out.pointee.length = UInt64(memory.capacity)
            return GF_OK
        case .closed(let code):
            out.pointee.kind = GF_WEBSOCKET_CLOSED
            out.pointee.code = code
            out.pointee.reason = socket.reasonText
            return GF_OK
        case .status:
            return status
        }
    }

    private static func begin(
        _ request: gf_websocket_request, _ call: OpaquePointer, _ runtime: PluginRuntime,
        _ socketOut: UnsafeMutablePointer<UInt64>
    ) -> gf_status {
        let limit = request.max_message == 0 ? UInt64(GF_WEBSOCKET_MAX_MESSAGE) : request.max_message
        let socket = WebSocketCall(
            maxMessage: Int(min(limit, largestMessage)), isWanted: runtime.wanting(call),
            wake: runtime.waking(call, with: GF_EVENT_WEBSOCKET))
        let services = runtime.services
        return runtime.begin(socket, in: runtime.sockets, of: call, config: request.config, idOut: socketOut) {
            try OutgoingRequest(request, $0, defaults: services.httpDefaults)
        } start: { outgoing, nanoseconds in
            try socket.start(
                WebSocketHandshake(outgoing, protocols: String(request.protocols)),
                on: services.eventLoops.next(), within: nanoseconds, dialTimeout: services.httpDefaults.dialTimeout)
        }
    }

    /// However much a plugin asks for: what reaches it in a process of its own as well.
    private static let largestMessage: UInt64 = 1 << 29
}

extension OutgoingRequest {
    /// The request of a handshake: as an HTTP request, whose address may be written with `ws` and `wss`.
    fileprivate init(
        _ message: gf_websocket_request, _ source: DataSourceConfiguration?, defaults: HTTPDefaults
    ) throws {
        var arena = CArena()
        var url = String(message.url)
        if url.hasPrefix("ws://") || url.hasPrefix("wss://") { url = "http" + url.dropFirst(2) }
        var request = gf_http_request()
        request.struct_size = UInt32(MemoryLayout<gf_http_request>.size)
        request.flags = message.flags & GF_WEBSOCKET_ANONYMOUS == 0 ? 0 : GF_HTTP_ANONYMOUS
        request.method = arena.text("GET")
        request.url = arena.text(url)
        request.headers = message.headers
        request.header_count = message.header_count
        request.timeout = message.timeout
        try self.init(request, source, defaults: defaults)
    }
}
