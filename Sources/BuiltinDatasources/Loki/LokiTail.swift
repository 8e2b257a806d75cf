// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One run of a live tail.
struct LokiTail {
    let source: LokiDataSource
    let query: LokiQuery
    let context: CallContext
    let sender: StreamSender
    var window: TailWindow
    private var policy = TailPolicy()

    /// What Explore shows, and the size of the pages in which a gap is filled.
    private static let defaultLines: Int64 = 1000
    /// What Loki gives at most unless it is configured otherwise.
    private static let mostLines: Int64 = 5000

    init(
        source: LokiDataSource, query: LokiQuery, context: CallContext, sender: StreamSender, window: TailWindow
    ) {
        self.source = source
        self.query = query
        self.context = context
        self.sender = sender
        self.window = window
    }

    /// Runs until the call is cancelled.
    ///
    /// - Throws: ``PluginError`` when the server refuses the tail, or ends it with an error.
    mutating func run() async throws {
        while true {
            let (end, hadLines) = try await follow()
            switch policy.decide(after: end, hadLines: hadLines, hasSeenLines: window.newest != nil) {
            case .fail(let error): throw error
            case .again(let pause): try await context.sleep(for: pause)
            }
        }
    }

    /// Follows one connection to its end.
    private mutating func follow() async throws -> (TailPolicy.End, hadLines: Bool) {
        var hadLines = false
        let start = window.start
        do {
            switch try await context.openWebSocket(request(from: start)) {
            case .refused(let status, let body):
                return (.refused(status: status, body: body), false)
            case .open(let socket):
                defer { socket.close() }
                while true {
                    switch try await socket.receive() {
                    case .closed(let closing): return (.closed(closing), hadLines)
                    case .message(let message):
                        let batch = try message.chunk.withBytes { try TailBatch(message: $0) }
                        if batch.isEmpty { continue }
                        try await take(batch, start: start, isFirst: !hadLines)
                        hadLines = hadLines || !batch.keys.isEmpty
                    }
                }
            }
        } catch let error as PluginError where error.code != .cancelled {
            return (.failed(error), hadLines)
        }
    }

    private mutating func take(_ batch: TailBatch, start: Timestamp?, isFirst: Bool) async throws {
        if let start {
            if isFirst { try await fillGap(from: start, before: batch) }
        } else if window.newest == nil, let oldest = batch.keys.map(\.time).min() {
            window.begin(at: oldest)
        }
        try await send(batch)
    }

    private var limit: Int64 { query.maxLines > 0 ? query.maxLines : Self.defaultLines }

    private func request(from start: Timestamp?) -> WebSocketRequest {
        var pairs: [FormEncoding.Pair] = [("query", query.expression), ("limit", String(limit))]
        if let start { pairs.append(("start", String(start.nanoseconds))) }
        return WebSocketRequest(
            url: source.settings.url("tail", query: FormEncoding.encode(pairs)), headers: LokiQuery.categorizing)
    }

    /// Sends the lines that were not seen.
    private mutating func send(_ batch: TailBatch) async throws {
        let rows = batch.keys.indices.filter { window.isNew(batch.keys[$0]) }
        guard !rows.isEmpty || batch.droppedCount > 0 else { return }
        var frame = source.frames(query).frame(batch.columns(rows), isCategorized: batch.isCategorized)
        if batch.droppedCount > 0 {
            let text = "The server left \(batch.droppedCount) lines out because they came too fast; narrow the query"
            frame.meta?.notices = [Notice(severity: .warning, text: text)]
        }
        try await sender.send(frame)
        sender.checkpoint(window.token)
    }

    // MARK: Gaps

    /// Fetches what the history of a new connection does not reach back to.
    ///
    /// The history is the newest lines since the start, as many as the limit. It begins with a line that was seen unless it
    /// is cut, and then it is asked for the lines in between.
    private mutating func fillGap(from start: Timestamp, before batch: TailBatch) async throws {
        guard let first = batch.keys.map(\.time).min(), !batch.keys.contains(where: window.contains) else { return }
        context.log(.info, "the tail fills a gap", ["from": "\(start.nanoseconds)", "to": "\(first.nanoseconds)"])
        var page = query
        page.direction = .forward
        page.maxLines = Self.defaultLines
        page.from = start
        page.to = Timestamp(nanoseconds: first.nanoseconds &+ 1)
        while page.from < page.to {
            let lines = try await lines(of: page)
            try await send(lines)
            guard lines.keys.count >= Int(page.maxLines), let last = lines.keys.map(\.time).max() else { return }
            if last > page.from {
                page.from = last
                page.maxLines = Self.defaultLines
            } else if page.maxLines < Self.mostLines {
                // A page of one time alone: as much of it as Loki gives.
                page.maxLines = Self.mostLines
            } else {
                context.log(
                    .warn, "the tail leaves out lines of one nanosecond",
                    ["time": "\(last.nanoseconds)", "lines": "\(page.maxLines)"])
                page.from = Timestamp(nanoseconds: last.nanoseconds &+ 1)
                page.maxLines = Self.defaultLines
            }
        }
    }

    private func lines(of query: LokiQuery) async throws -> TailBatch {
        let answer = try await source.send(query, context)
        var parser = LokiAnswerParser(collectsKeys: true)
        for try await chunk in answer.body { try chunk.withBytes { try parser.consumeWhole($0) } }
        try parser.finish()
        return TailBatch(parser)
    }
}
