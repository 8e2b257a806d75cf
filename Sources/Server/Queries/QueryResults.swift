// SPDX-License-Identifier: Apache-2.0
import Expressions
import PluginABI
import PluginHost

/// What the queries of a request have delivered so far, and how much of it is written.
struct QueryResults {
    /// A frame whose rows arrive in parts.
    struct Part {
        var number: UInt32
        var pieces: [DataFrame]
    }

    /// The result of one query.
    struct Result {
        /// Frames that are not written yet.
        var parts: [Part] = []
        var notices: [Notice] = []
        var error: PluginError?
        /// Whether nothing more comes.
        var isClosed = false
        var hasFrames = false
        /// Whether somebody beside the user is to blame for the error: a plugin or what is behind it.
        var hasErrorSource = true
    }

    /// The refIds, sorted as the answer is.
    let order: [String]
    private(set) var results: [String: Result]
    private var sharedNotices: [Notice] = []
    /// A guess at the text of all that arrived, in bytes.
    private(set) var estimatedBytes = 0
    /// About the memory that all that arrived takes.
    private(set) var heldBytes = 0

    init(refIDs: [String]) {
        order = refIDs.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        results = Dictionary(uniqueKeysWithValues: refIDs.map { ($0, Result()) })
    }

    /// Whether any query failed.
    var hasErrors: Bool { results.values.contains { $0.error != nil } }
    /// Whether any frame arrived.
    var hasFrames: Bool { results.values.contains { $0.hasFrames } }

    /// Takes one step of a call.
    ///
    /// - Parameter refIDs: The queries of that call; what names none of them belongs to its first.
    mutating func take(_ event: CallEvent, of refIDs: [String]) {
        switch event {
        case .frame(let number, let frame): add(frame, number, refIDs)
        case .rows(let number, let frame): append(frame, number, refIDs)
        case .notice(let notice, let refID):
            if results[refID] == nil { sharedNotices.append(notice) } else { results[refID]?.notices.append(notice) }
        case .failed(let error, let refID):
            results[results[refID] == nil ? refIDs[0] : refID]?.error = error
        case .completed(let error):
            for refID in refIDs {
                if results[refID]?.error == nil { results[refID]?.error = error }
                results[refID]?.isClosed = true
            }
        case .bytes, .head, .checkpoint: break
        }
    }

    /// Takes the whole result of an expression, or of a query beside one.
    mutating func take(_ outcome: ExpressionPlan.Outcome, of refID: String) {
        for (number, frame) in outcome.frames.enumerated() { add(frame, UInt32(truncatingIfNeeded: number), [refID]) }
        results[refID]?.isClosed = true
        guard let error = outcome.error else { return }
        results[refID]?.hasErrorSource = error.source != nil
        results[refID]?.error = PluginError(
            .invalid, error.message, source: error.source ?? .user, httpStatus: error.httpStatus)
    }

    /// The notices for the frames of a query.
    func notices(of refID: String) -> [Notice] { (results[refID]?.notices ?? []) + sharedNotices }

    /// Removes the next frame of a query that is complete: another one began, or the query is closed.
    mutating func takeFrame(of refID: String) -> DataFrame? {
        guard let result = results[refID], let first = result.parts.first, result.isClosed || result.parts.count > 1
        else { return nil }
        results[refID]?.parts.removeFirst()
        var frame = Self.joined(first.pieces)
        if frame.refID.isEmpty { frame.refID = refID }
        return frame
    }

    private mutating func add(_ frame: DataFrame, _ number: UInt32, _ refIDs: [String]) {
        let refID = results[frame.refID] == nil ? refIDs[0] : frame.refID
        results[refID]?.parts.append(Part(number: number, pieces: [frame]))
        results[refID]?.hasFrames = true
        estimatedBytes += 256 + Self.estimate(frame)
        heldBytes += 256 + frame.fields.reduce(0) { $0 + $1.column.byteCount }
    }

    private mutating func append(_ rows: DataFrame, _ number: UInt32, _ refIDs: [String]) {
        let refID = results[rows.refID] == nil ? refIDs[0] : rows.refID
        guard let place = results[refID]?.parts.lastIndex(where: { $0.number == number }) else {
            // The frame is written already; its late rows become a frame of their own rather than being lost.
            return add(rows, number, refIDs)
        }
        results[refID]?.parts[place].pieces.append(rows)
        estimatedBytes += Self.estimate(rows)
        heldBytes += rows.fields.reduce(0) { $0 + $1.column.byteCount }
    }

    /// About 14 bytes of text a value.
    private static func estimate(_ frame: DataFrame) -> Int { frame.rowCount * frame.fields.count * 14 }

    private static func joined(_ pieces: [DataFrame]) -> DataFrame {
        guard pieces.count > 1 else { return pieces[0] }
        return DataFrame.joining(pieces) ?? pieces[0]
    }
}
