// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// A series of a metric query, complete.
struct LokiSeries: Sendable {
    var labels: Labels
    /// Two columns of the same length.
    var times: Column
    var values: Column
}

/// What an answer says beside its data.
struct LokiEnvelope: Sendable, Equatable {
    enum ResultType: String, Sendable {
        case streams, matrix, vector, scalar

        /// Whether results of the two types are read alike.
        func resembles(_ other: ResultType) -> Bool {
            self == other || [.matrix, .vector].contains(self) && [.matrix, .vector].contains(other)
        }
    }

    var status: String?
    var errorType = ""
    var error = ""
    var resultType: ResultType?
    /// Whether each line says which of its labels are structured metadata and which were parsed.
    var isCategorized = false
    var warnings: [String] = []
    /// Of the live tail: lines that the server did not send because it was not read fast enough.
    var droppedCount = 0
    /// The text of `data.stats`, an object.
    var stats: JSONText?
}
