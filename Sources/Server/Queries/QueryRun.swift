// SPDX-License-Identifier: Apache-2.0
import NIOCore
import PluginABI
import PluginHost

/// The calls of one request under way, and the results that they delivered.
///
/// All calls run at the same time in their plugins; what they deliver is read one call after the other, in the order of
/// the answer. A call that is not read yet goes on until its window (8 MiB) is full, so that an answer of any size
/// takes a bounded amount of memory.
actor QueryRun {
    private struct Call {
        var refIDs: [String]
        var events: CallEvents.Iterator
        var smallest: String
    }

    /// An answer of fewer bytes is collected whole, so that its HTTP status is exact.
    static let streamingThreshold = 1 << 20
    /// The bytes of one piece of a streamed answer.
    static let pieceSize = 128 * 1024

    private var calls: [Call]
    private var current = 0
    private var results: QueryResults
    private var encoder: QueryEncoder
    /// Whether one call is all there is, so that its failure is that of the request.
    private let isSingle: Bool
    private(set) var failure: PluginError?

    /// - Parameter calls: The events of each call with the refIds of its queries.
    init(calls: [(refIDs: [String], events: CallEvents)], failures: [String: PluginError], format: QueryEncoder.Format)
    {
        self.calls = calls.map {
            Call(refIDs: $0.refIDs, events: $0.events.makeAsyncIterator(), smallest: $0.refIDs.min() ?? "")
        }
        self.calls.sort { $0.smallest < $1.smallest }
        results = QueryResults(refIDs: calls.flatMap(\.refIDs) + failures.keys)
        encoder = QueryEncoder(format)
        isSingle = calls.count == 1 && failures.isEmpty
        for (refID, error) in failures { results.take(.completed(error), of: [refID]) }
    }

    /// A run that is over: the results of a request with expressions.
    init(results: QueryResults, format: QueryEncoder.Format) {
        calls = []
        self.results = results
        encoder = QueryEncoder(format)
        isSingle = false
    }

    /// Whether any query has failed so far.
    var hasErrors: Bool { results.hasErrors }

    /// Reads until everything has arrived or the answer is too large to be collected.
    ///
    /// - Returns: Whether everything has arrived.
    func collect() async -> Bool {
        while results.estimatedBytes < Self.streamingThreshold {
            guard await readOne() else { return true }
        }
        return false
    }

    /// The failure of the request's only call when it delivered nothing at all.
    var wholeFailure: PluginError? { isSingle && !results.hasFrames ? failure : nil }

    /// Answers with JSON after all: before the first byte, because a query failed.
    func useJSON() {
        encoder = QueryEncoder(.json)
    }

    /// The next pieces of the answer; nil after the last.
    func nextBytes() async -> ByteBuffer? {
        var writer = ByteWriter(capacity: Self.pieceSize + 4096)
        while true {
            let isMoreReady = encoder.write(&results, into: &writer, target: Self.pieceSize)
            if isMoreReady || writer.count >= Self.pieceSize { break }
            guard await readOne() else {
                // All queries are closed now: this writes the rest, or as much of it as one piece holds.
                _ = encoder.write(&results, into: &writer, target: Self.pieceSize)
                break
            }
        }
        return writer.isEmpty ? nil : writer.withBytes { ByteBuffer(bytes: $0) }
    }

    /// Reads one step; false when all calls have ended.
    private func readOne() async -> Bool {
        while current < calls.count {
            let events = calls[current].events
            if let event = await events.next() {
                results.take(event, of: calls[current].refIDs)
                if case .completed(let error?) = event { failure = error }
                return true
            }
            // Ended, also without a last word: its queries are closed.
            results.take(.completed(nil), of: calls[current].refIDs)
            current += 1
        }
        return false
    }
}
