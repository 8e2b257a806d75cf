// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import PluginABI

/// The host's extensions for a plugin in another process: the same tables that others call, and the way back.
enum IsolatedServices {
    static let metrics = PluginMetrics.table()
    static let secrets = SecretsService.table()
    static let settings = SettingsService.table()
    static let keyValues = KeyValueService.table()
    static let timer = TimerService.table()
    static let http = HTTPService.table()
    static let webSocket = WebSocketService.table()

    /// A function's answer.
    struct Reply {
        var status: gf_status
        var number: Int64 = 0
        var code: Int64 = 0
        var pairs: [(key: String, value: String)] = []
        var bytes: [UInt8] = []
    }
}

extension IsolatedPlugin {
    func hostCall(_ message: RunnerMessage, _ process: RunnerProcess, _ runtime: PluginRuntime) -> String? {
        guard let body: runner_host_call_t = message.body() else { return "a malformed HOST_CALL" }
        let sequence = message.header.sequence
        let handle = OpaquePointer(bitPattern: UInt(message.header.call))
        switch body.function {
        case RUNNER_TIMER_DISARM: IsolatedServices.timer.disarm?(runtime.host, body.object)
        case RUNNER_HTTP_CLOSE: IsolatedServices.http.close?(runtime.host, body.object)
        case RUNNER_SOCKET_CLOSE:
            let code = UInt32(clamping: body.number)
            IsolatedServices.webSocket.close?(runtime.host, body.object, code, message.borrowed(body.text))
        case RUNNER_KV_GET, RUNNER_KV_PUT, RUNNER_KV_REMOVE, RUNNER_KV_LIST:
            // The database may block, and what is borrowed of the message does not live as long.
            let name = message.text(body.name)
            let value = [UInt8](message.borrowedBytes(body.data))
            guard process.takeRequest() else {
                return "more than \(RunnerProcess.maxRequests) calls of the store at once"
            }
            runtime.invokeOnLibrary { [self] in
                reply(sequence, keyValue(body, name, value, runtime), to: process)
                process.giveRequest()
            }
        case RUNNER_SECRET_GET: reply(sequence, secret(body, message, runtime), to: process)
        case RUNNER_SETTING_GET: reply(sequence, setting(body, message, runtime), to: process)
        case RUNNER_TIMER_ARM:
            var timer: UInt64 = 0
            let status = IsolatedServices.timer.arm?(runtime.host, handle, body.number, &timer) ?? GF_UNSUPPORTED
            reply(sequence, .init(status: status, number: Int64(bitPattern: timer)), to: process)
        case RUNNER_HTTP_REQUEST: reply(sequence, request(body, message, handle, runtime), to: process)
        case RUNNER_HTTP_HEAD: reply(sequence, head(body, IsolatedServices.http.head, runtime), to: process)
        case RUNNER_HTTP_READ: reply(sequence, read(body, runtime), to: process)
        case RUNNER_HTTP_ERROR: reply(sequence, error(body, IsolatedServices.http.error, runtime), to: process)
        case RUNNER_SOCKET_OPEN: reply(sequence, open(body, message, handle, runtime), to: process)
        case RUNNER_SOCKET_HEAD: reply(sequence, head(body, IsolatedServices.webSocket.head, runtime), to: process)
        case RUNNER_SOCKET_RECEIVE: reply(sequence, receive(body, runtime), to: process)
        case RUNNER_SOCKET_SEND: reply(sequence, send(body, message, runtime), to: process)
        case RUNNER_SOCKET_ROOM:
            reply(sequence, .init(status: runtime.sockets[body.object]?.hasRoom() ?? GF_STATE), to: process)
        case RUNNER_SOCKET_ERROR: reply(sequence, error(body, IsolatedServices.webSocket.error, runtime), to: process)
        default: reply(sequence, .init(status: GF_UNSUPPORTED), to: process)
        }
        return nil
    }

    private func reply(_ sequence: UInt32, _ reply: IsolatedServices.Reply, to process: RunnerProcess) {
        var writer = MessageWriter()
        writer.message(RUNNER_REPLY, runner_reply_t()) { writer, body in
            body.status = reply.status
            body.number = reply.number
            body.code = reply.code
            body.pairs = writer.pairs(reply.pairs)
            body.data = writer.array(reply.bytes)
        }
        writer.answers(sequence)
        process.send(writer)
    }

    private func keyValue(
        _ body: runner_host_call_t, _ name: String, _ value: [UInt8], _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        let table = IsolatedServices.keyValues
        let host = runtime.host
        var buffer = gf_buffer()
        var length: UInt64 = 0
        var version: Int64 = 0
        let status = name.withGF { name -> gf_status? in
            switch body.function {
            case RUNNER_KV_GET: table.get?(host, body.object, name, &buffer, &length, &version)
            case RUNNER_KV_PUT: value.withGF { table.put?(host, body.object, name, $0, body.number, &version) }
            case RUNNER_KV_REMOVE: table.remove?(host, body.object, name)
            default: table.list?(host, body.object, name, &buffer, &length)
            }
        }
        return .init(status: status ?? GF_UNSUPPORTED, number: version, bytes: take(&buffer, length, runtime))
    }

    private func secret(
        _ body: runner_host_call_t, _ message: RunnerMessage, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        let name = message.borrowed(body.name)
        let status = IsolatedServices.secrets.get?(runtime.host, body.object, name, &buffer, &length)
        return .init(status: status ?? GF_UNSUPPORTED, bytes: take(&buffer, length, runtime))
    }

    private func setting(
        _ body: runner_host_call_t, _ message: RunnerMessage, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        let status = IsolatedServices.settings.get?(runtime.host, message.borrowed(body.name), &buffer, &length)
        return .init(status: status ?? GF_UNSUPPORTED, bytes: take(&buffer, length, runtime))
    }

    private func request(
        _ body: runner_host_call_t, _ message: RunnerMessage, _ handle: OpaquePointer?, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        guard let headers = message.pairs(body.pairs) else { return .init(status: GF_INVALID) }
        var arena = CArena()
        var request = gf_http_request()
        request.struct_size = UInt32(MemoryLayout<gf_http_request>.size)
        request.flags = body.flags
        request.config = body.object
        request.method = message.borrowed(body.name)
        request.url = message.borrowed(body.text)
        request.headers = arena.pairs(HTTPHeaders(headers.map { ($0.key, $0.value) }))
        request.header_count = UInt32(headers.count)
        request.body = message.borrowedBytes(body.data)
        request.timeout = body.number
        request.max_bytes = body.limit
        var id: UInt64 = 0
        let status = IsolatedServices.http.request?(runtime.host, handle, &request, &id) ?? GF_UNSUPPORTED
        return .init(status: status, number: Int64(bitPattern: id))
    }

    private typealias HeadFunction =
        @convention(c) (
            UnsafePointer<gf_host>?, UInt64, UnsafeMutablePointer<gf_http_head>?
        ) -> gf_status
    private typealias ErrorFunction = @convention(c) (UnsafePointer<gf_host>?, UInt64) -> gf_str

    private func head(
        _ body: runner_host_call_t, _ function: HeadFunction?, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        var head = gf_http_head()
        head.struct_size = UInt32(MemoryLayout<gf_http_head>.size)
        let status = function?(runtime.host, body.object, &head) ?? GF_UNSUPPORTED
        guard status == GF_OK else { return .init(status: status) }
        let headers = HTTPHeaders(head.headers, count: head.header_count)
        return .init(status: status, number: Int64(head.status), pairs: headers.map { ($0.name, $0.value) })
    }

    private func error(
        _ body: runner_host_call_t, _ function: ErrorFunction?, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        .init(status: GF_OK, bytes: Array(String(function?(runtime.host, body.object) ?? gf_str()).utf8))
    }

    private func read(_ body: runner_host_call_t, _ runtime: PluginRuntime) -> IsolatedServices.Reply {
        var buffer = gf_buffer()
        var length: UInt64 = 0
        let status = IsolatedServices.http.read?(runtime.host, body.object, &buffer, &length) ?? GF_UNSUPPORTED
        return .init(status: status, bytes: take(&buffer, length, runtime))
    }

    // MARK: Sockets

    private func open(
        _ body: runner_host_call_t, _ message: RunnerMessage, _ handle: OpaquePointer?, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        guard let headers = message.pairs(body.pairs) else { return .init(status: GF_INVALID) }
        var arena = CArena()
        var request = gf_websocket_request()
        request.struct_size = UInt32(MemoryLayout<gf_websocket_request>.size)
        request.flags = body.flags
        request.config = body.object
        request.url = message.borrowed(body.text)
        request.headers = arena.pairs(HTTPHeaders(headers.map { ($0.key, $0.value) }))
        request.header_count = UInt32(headers.count)
        request.protocols = message.borrowed(body.name)
        request.timeout = body.number
        request.max_message = body.limit
        var id: UInt64 = 0
        let status = IsolatedServices.webSocket.open?(runtime.host, handle, &request, &id) ?? GF_UNSUPPORTED
        return .init(status: status, number: Int64(bitPattern: id))
    }

    private func receive(_ body: runner_host_call_t, _ runtime: PluginRuntime) -> IsolatedServices.Reply {
        var message = gf_websocket_message()
        message.struct_size = UInt32(MemoryLayout<gf_websocket_message>.size)
        let status = IsolatedServices.webSocket.receive?(runtime.host, body.object, &message) ?? GF_UNSUPPORTED
        guard status == GF_OK else { return .init(status: status) }
        guard message.kind != GF_WEBSOCKET_CLOSED else {
            return .init(
                status: status, number: Int64(message.kind), code: Int64(message.code),
                bytes: Array(String(message.reason).utf8))
        }
        let bytes = take(&message.data, message.length, runtime)
        return .init(status: status, number: Int64(message.kind), bytes: bytes)
    }

    private func send(
        _ body: runner_host_call_t, _ message: RunnerMessage, _ runtime: PluginRuntime
    ) -> IsolatedServices.Reply {
        let bytes = message.borrowedBytes(body.data)
        let kind = UInt32(clamping: body.number)
        let status = IsolatedServices.webSocket.send?(runtime.host, body.object, kind, bytes)
        return .init(status: status ?? GF_UNSUPPORTED)
    }

    /// The bytes of a buffer, which is given back.
    private func take(_ buffer: inout gf_buffer, _ length: UInt64, _ runtime: PluginRuntime) -> [UInt8] {
        guard let memory = runtime.buffers.take(&buffer) else { return [] }
        let count = min(Int(clamping: length), memory.capacity)
        return Array(UnsafeRawBufferPointer(start: memory.start, count: count))
    }
}
