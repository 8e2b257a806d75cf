// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Runs statements of one data source.
struct SQLRunner: Sendable {
    let pool: SQLPool

    /// Runs a query and sends its frames as they come.
    ///
    /// A query that fails sends a frame that tells its text, unless it has sent rows already.
    func run(_ query: SQLQuery, context: CallContext, into response: QueryResponder) async throws {
        var answer = SQLAnswer(query: query, response: response, context: context)
        do {
            answer = try await pool.withSession { session in
                try Task.checkCancellation()
                var answer = answer
                try answer.begin(try await session.run { try $0.begin(query) })
                var wantsMore = true
                while wantsMore {
                    try Task.checkCancellation()
                    let limit = answer.nextLimit
                    let batch = try await session.run { try $0.fetch(limit) }
                    wantsMore = try await answer.take(batch)
                }
                return answer
            }
            try await answer.finish()
        } catch {
            // A call that has been cancelled takes no frame and is told so, not what would have been said with it.
            if !answer.hasSent { try await answer.sendEmpty() }
            throw error
        }
    }

    /// Whether the server answers.
    func ping() async throws {
        try await pool.withSession { session in try await session.run { try $0.ping() } }
    }
}
