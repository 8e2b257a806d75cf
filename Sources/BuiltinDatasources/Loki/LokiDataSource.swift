// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// One configured Loki.
struct LokiDataSource: QueryHandler {
    let settings: LokiSettings
    let host: Host

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        self.settings = try LokiSettings(jsonData: settings.jsonData)
        self.host = host
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        let prepared = try LokiQuery(query)
        let answer = try await send(prepared, context)
        var reader = LokiAnswerReader(frames: frames(prepared))
        var open: FrameSender?
        for try await chunk in answer.body {
            var delivery = try chunk.withBytes { try reader.consume($0) }
            try await response.send(delivery, &open)
            while reader.hasMore {
                delivery = try reader.consume(UnsafeBufferPointer(start: nil, count: 0))
                try await response.send(delivery, &open)
            }
        }
        try await response.send(try reader.finish(), &open)
    }

    /// Asks, and makes an error of an answer that is none.
    ///
    /// - Parameter maxBytes: The most that the body may have; nil: what the call allows.
    func send(_ query: LokiQuery, _ context: CallContext, maxBytes: Int? = nil) async throws -> HTTPResponse {
        var request = settings.request(query.endpoint, query.parameters, headers: query.headers)
        request.maxBytes = maxBytes
        let answer = try await context.http.send(request)
        guard (200..<300).contains(answer.status) else {
            let body = try await answer.collectPrefix(UpstreamStatus.maximumErrorBytes)
            throw UpstreamStatus.lokiError(status: answer.status, body: body)
        }
        return answer
    }
}

extension QueryResponder {
    fileprivate func send(_ delivery: LokiAnswerReader.Delivery, _ open: inout FrameSender?) async throws {
        for remark in delivery.notices { notice(remark) }
        for part in delivery.parts {
            switch part {
            case .frame(let frame): try await send(frame)
            case .open(let frame): open = try await self.open(frame)
            case .rows(let rows): try await open?.append(rows)
            }
        }
    }
}
