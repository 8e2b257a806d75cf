// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI

/// One request through the host's `gf.http/1`; closed when the last reference goes.
///
/// Safety: immutable; the host's functions may be called from any thread, and one reader reads the body.
final class HTTPExchange: @unchecked Sendable {
    private let call: CallBridge
    private let table: gf_http_host
    private let request: UInt64

    private init(call: CallBridge, table: gf_http_host, request: UInt64) {
        self.call = call
        self.table = table
        self.request = request
    }

    deinit { table.close?(call.host.pointer, request) }

    static func send(_ request: HTTPRequest, on call: CallBridge) async throws -> HTTPResponse {
        guard let table = call.host.http, let start = table.request, let head = table.head else {
            throw PluginError(.unsupported, "the host has no \(GF_HTTP_EXT)", source: .host)
        }
        let exchange = try begin(request, on: call, table, start)
        var answer = gf_http_head()
        answer.struct_size = UInt32(MemoryLayout<gf_http_head>.size)
        while true {
            let status = head(call.host.pointer, exchange.request, &answer)
            if status == GF_OK { break }
            guard status == GF_AGAIN else { throw exchange.failure(status) }
            try await call.wait(for: .init(kind: GF_EVENT_HTTP, source: exchange.request))
        }
        let headers = HTTPHeaders(answer.headers, count: answer.header_count)
        return HTTPResponse(status: Int(answer.status), headers: headers, body: HTTPBody(exchange: exchange))
    }

    private static func begin(
        _ request: HTTPRequest, on call: CallBridge, _ table: gf_http_host,
        _ start:
            @convention(c) (
                UnsafePointer<gf_host>?, OpaquePointer?, UnsafePointer<gf_http_request>?, UnsafeMutablePointer<UInt64>?
            ) -> gf_status
    ) throws -> HTTPExchange {
        var arena = CArena()
        var message = gf_http_request()
        message.struct_size = UInt32(MemoryLayout<gf_http_request>.size)
        message.flags = request.isAnonymous ? GF_HTTP_ANONYMOUS : 0
        message.config = call.config
        message.method = arena.text(request.method)
        message.url = arena.text(request.url)
        message.headers = arena.pairs(request.headers)
        message.header_count = UInt32(request.headers.count)
        message.body = arena.bytes(request.body)
        message.timeout = request.timeout?.nanoseconds ?? 0
        message.max_bytes = UInt64(request.maxBytes ?? 0)
        var id: UInt64 = 0
        let status = start(call.host.pointer, call.handle, &message, &id)
        let exchange = HTTPExchange(call: call, table: table, request: id)
        guard status == GF_OK else { throw exchange.failure(status) }
        return exchange
    }

    /// The next part of the body; nil at its end.
    func nextChunk() async throws -> HTTPChunk? {
        guard let read = table.read else { return nil }
        while true {
            var buffer = gf_buffer()
            var length: UInt64 = 0
            let status = read(call.host.pointer, request, &buffer, &length)
            if status == GF_OK {
                return length == 0 ? nil : HTTPChunk(buffer, length: length, host: call.host)
            }
            guard status == GF_AGAIN else { throw failure(status) }
            try await call.wait(for: .init(kind: GF_EVENT_HTTP, source: request))
        }
    }

    private func failure(_ status: gf_status) -> PluginError {
        let text = table.error.map { String($0(call.host.pointer, request)) } ?? ""
        let code = PluginError.Code(rawValue: status)
        return PluginError(code, text.isEmpty ? "the request failed: \(code.name)" : text)
    }
}
