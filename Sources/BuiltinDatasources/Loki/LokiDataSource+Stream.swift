// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension LokiDataSource: StreamHandler {
    private static let channelPrefix = "tail/"

    /// Lets clients listen to `tail/<any key>` with a query object as data.
    ///
    /// The first message is the table without rows.
    func subscribeStream(_ request: StreamRequest, context: CallContext) async throws -> SubscribeResult {
        guard request.path.hasPrefix(Self.channelPrefix), let query = try tailQuery(request) else { return .notFound }
        var nothing = LogLineBuilder()
        return .ok(initial: frames(query).frame(nothing.takeColumns(), isCategorized: true))
    }

    /// Follows the tail until nobody listens, over as many connections as it takes.
    func runStream(_ request: StreamRequest, context: CallContext, into sender: StreamSender) async throws {
        guard let query = try tailQuery(request) else {
            throw PluginError(.notFound, "a tail needs the query object with its expr as data")
        }
        var tail = LokiTail(
            source: self, query: query, context: context, sender: sender,
            window: TailWindow(token: request.resumeToken))
        try await tail.run()
    }

    func frames(_ query: LokiQuery) -> LokiFrames {
        LokiFrames(query: query, usesLogsDataplane: settings.usesLogsDataplane)
    }

    /// The query in the data of a channel; nil when there is none.
    private func tailQuery(_ request: StreamRequest) throws -> LokiQuery? {
        guard let model = try? JSONValue(parsing: request.data), model["expr"]?.string?.isEmpty == false else {
            return nil
        }
        let now = host.now
        return try LokiQuery(
            DataQuery(
                refID: model["refId"]?.string ?? "A", json: JSONText(model.encoded()), model: model.tailing, from: now,
                to: now, interval: .seconds(1), maxDataPoints: 1))
    }
}

extension JSONValue {
    /// The query object of Explore's live mode as one of a range; its type is `stream` there.
    fileprivate var tailing: JSONValue {
        var model = self
        model["queryType"] = "range"
        return model
    }
}
