// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Synchronization

/// One socket through the host's `gf.websocket/1`; closed when the last reference goes.
///
/// Safety: immutable but for `isClosed`; the host's functions may be called from any thread.
final class WebSocketConnection: @unchecked Sendable {
    private let call: CallBridge
    private let table: gf_websocket_host
    private let socket: UInt64
    private let isClosed = Mutex(false)

    private init(call: CallBridge, table: gf_websocket_host, socket: UInt64) {
        self.call = call
        self.table = table
        self.socket = socket
    }

    deinit { close(code: 1000, reason: "") }

    private var event: CallBridge.Event { .init(kind: GF_EVENT_WEBSOCKET, source: socket) }

    static func open(_ request: WebSocketRequest, on call: CallBridge) async throws -> WebSocketAnswer {
        guard let table = call.host.webSocket, table.open != nil, let head = table.head else {
            throw PluginError(.unsupported, "the host has no \(GF_WEBSOCKET_EXT)", source: .host)
        }
        let connection = try begin(request, on: call, table)
        var answer = gf_http_head()
        answer.struct_size = UInt32(MemoryLayout<gf_http_head>.size)
        while true {
            let status = head(call.host.pointer, connection.socket, &answer)
            if status == GF_OK { break }
            guard status == GF_AGAIN else { throw connection.failure(status) }
            try await call.wait(for: connection.event)
        }
        if answer.status == 101 { return .open(WebSocket(connection: connection)) }
        guard case .message(let message) = try await connection.receive() else {
            return .refused(status: Int(answer.status), body: [])
        }
        return .refused(status: Int(answer.status), body: message.chunk.withBytes(Array.init))
    }

    private static func begin(
        _ request: WebSocketRequest, on call: CallBridge, _ table: gf_websocket_host
    ) throws -> WebSocketConnection {
        var arena = CArena()
        var message = gf_websocket_request()
        message.struct_size = UInt32(MemoryLayout<gf_websocket_request>.size)
        message.flags = request.isAnonymous ? GF_WEBSOCKET_ANONYMOUS : 0
        message.config = call.config
        message.url = arena.text(request.url)
        message.headers = arena.pairs(request.headers)
        message.header_count = UInt32(request.headers.count)
        message.protocols = arena.text(request.protocols.joined(separator: ", "))
        message.timeout = request.timeout?.nanoseconds ?? 0
        message.max_message = UInt64(request.maxMessageBytes ?? 0)
        var id: UInt64 = 0
        let status = table.open?(call.host.pointer, call.handle, &message, &id) ?? GF_UNSUPPORTED
        let connection = WebSocketConnection(call: call, table: table, socket: id)
        guard status == GF_OK else { throw connection.failure(status) }
        return connection
    }

    func receive() async throws -> WebSocket.Event {
        while true {
            var message = gf_websocket_message()
            message.struct_size = UInt32(MemoryLayout<gf_websocket_message>.size)
            let status = table.receive?(call.host.pointer, socket, &message) ?? GF_UNSUPPORTED
            if status == GF_OK {
                guard message.kind != GF_WEBSOCKET_CLOSED else {
                    return .closed(.init(code: Int(message.code), reason: String(message.reason)))
                }
                let chunk = HTTPChunk(message.data, length: message.length, host: call.host)
                return .message(.init(isText: message.kind == GF_WEBSOCKET_TEXT, chunk: chunk))
            }
            guard status == GF_AGAIN else { throw failure(status) }
            try await call.wait(for: event)
        }
    }

    func send(_ bytes: [UInt8], isText: Bool) async throws {
        let kind = isText ? GF_WEBSOCKET_TEXT : GF_WEBSOCKET_BINARY
        let status = bytes.withGF { table.send?(call.host.pointer, socket, kind, $0) } ?? GF_UNSUPPORTED
        if status == GF_AGAIN { return try await call.wait(for: event) }
        guard status == GF_OK else { throw failure(status) }
    }

    func close(code: Int, reason: String) {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        reason.withGF { table.close?(call.host.pointer, socket, UInt32(clamping: code), $0) }
    }

    private func failure(_ status: gf_status) -> PluginError {
        let text = table.error.map { String($0(call.host.pointer, socket)) } ?? ""
        let code = PluginError.Code(rawValue: status)
        // A message that is too large, or no message at all, is the server's doing.
        let source: ErrorSource? = code == .badData || code == .limit ? .downstream : nil
        return PluginError(code, text.isEmpty ? "the socket failed: \(code.name)" : text, source: source)
    }
}
