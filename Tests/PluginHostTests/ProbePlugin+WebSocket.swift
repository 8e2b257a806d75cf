// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension ProbeDataSource {
    /// Opens a socket, sends, receives until the end or `count` messages, and tells all of it, one line each.
    func answerSocket(_ query: DataQuery, _ context: CallContext, _ response: QueryResponder) async throws {
        let model = query.model
        let request = WebSocketRequest(
            url: model["path"]?.string ?? "/", headers: model["header"]?.string.map { ["X-Own": $0] } ?? [:],
            protocols: model["protocols"]?.array?.compactMap(\.string) ?? [],
            timeout: model["timeout"]?.int.map { .milliseconds($0) }, maxMessageBytes: model["max"]?.int)
        guard case .open(let socket) = try await context.openWebSocket(request) else {
            guard case .refused(let status, let body) = try await context.openWebSocket(request) else { return }
            let words = String(decoding: body.prefix(13), as: UTF8.self)
            return try await response.send(text("refused \(status) \(words) \(body.count)"))
        }
        if model["announce"]?.bool == true { try await response.send(text("open")) }
        for message in model["send"]?.array ?? [] { try await socket.send(text: message.string ?? "") }
        if let size = model["sendBytes"]?.int {
            for _ in 0..<(model["times"]?.int ?? 1) { try await socket.send(bytes: [UInt8](repeating: 7, count: size)) }
        }
        var lines: [String] = []
        if let path = model["beside"]?.string { lines.append(try await steadyText(of: path, context)) }
        receiving: for _ in 0..<(model["count"]?.int ?? 1000) {
            switch try await socket.receive() {
            case .closed(let closing):
                lines.append("closed \(closing.code) \(closing.reason)")
                break receiving
            case .message(let message):
                let kind = message.isText ? "text" : "binary"
                let words = message.chunk.withBytes { String(decoding: $0.prefix(2000), as: UTF8.self) }
                lines.append("\(kind) \(message.isText ? words : "\(message.chunk.count)")")
            }
        }
        if let code = model["close"]?.int { socket.close(code: code, reason: "thanks") }
        try await response.send(text(lines.joined(separator: "\n")))
    }

    /// Opens a socket again and again until its first message stays the same.
    private func steadyText(of path: String, _ context: CallContext) async throws -> String {
        var last = ""
        while true {
            guard case .open(let socket) = try await context.openWebSocket(WebSocketRequest(url: path)),
                case .message(let message) = try await socket.receive()
            else { throw PluginError(.internal, "\(path) sends nothing") }
            let text = message.chunk.withBytes { String(decoding: $0, as: UTF8.self) }
            if text == last, text != "0" { return text }
            last = text
        }
    }
}
