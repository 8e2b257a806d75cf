// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Synchronization

/// Turns the rows of one query into frames while they arrive.
///
/// Tables and series without labels go on batch by batch; series with labels, and those with a fill, need all rows.
struct SQLAnswer {
    let query: SQLQuery
    private let response: QueryResponder
    private let context: CallContext
    private var names: [String] = []
    private var rowCount = 0
    private var collected: SQLCollected = .nothing
    private var sender: FrameSender?
    private var lost: [String: Int] = [:]
    private var rounded: [String: Int] = [:]
    private var gaps: GapFilling?
    private let sent = Sent()
    private var isFull = false

    /// Whether a frame has left; copies of the answer share it.
    private final class Sent: Sendable {
        let flag = Atomic(false)
    }

    private enum SQLCollected {
        case nothing
        case long(LongToWide)
        case wide([SQLBatch])
    }

    /// What is left of the call's bytes when the rows stop: the text of the answer has a head and a tail.
    static let byteReserve = 4 << 20

    init(query: SQLQuery, response: QueryResponder, context: CallContext) {
        self.query = query
        self.response = response
        self.context = context
        gaps = query.gapSeconds.map { GapFilling(seconds: $0) }
    }

    /// - Throws: ``PluginError`` when two columns have one name, or no column holds the time of a series.
    mutating func begin(_ names: [String]) throws {
        var places: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            if let first = places[name] {
                throw PluginError(
                    .invalid,
                    "convert frame from rows error: duplicate column names are not allowed, found identical name "
                        + "\"\(name)\" at column indices \(first) and \(index)", source: .plugin)
            }
            places[name] = index
        }
        self.names = names
    }

    /// Whether a frame has left.
    var hasSent: Bool { sent.flag.load(ordering: .relaxed) }

    /// How much the next batch may hold: one row past the limit shows that there are more.
    var nextLimit: SQLBatchLimit {
        var limit = SQLBatchLimit()
        limit.rows = max(1, min(limit.rows, query.rowLimit - rowCount + 1))
        return limit
    }

    /// Takes rows.
    ///
    /// - Returns: Whether more are wanted.
    mutating func take(_ batch: SQLBatch) async throws -> Bool {
        var batch = batch
        lost.merge(batch.lost, uniquingKeysWith: +)
        rounded.merge(batch.rounded, uniquingKeysWith: +)
        if rowCount + batch.rowCount > query.rowLimit {
            batch = batch.prefix(query.rowLimit - rowCount)
            limit("Results have been limited to \(query.rowLimit) because the SQL row limit was reached")
        } else if let left = context.bytesLeft, batch.byteCount + Self.byteReserve > left - collectedBytes {
            limit(
                "Results have been limited to \(rowCount) rows because the byte limit of a call was reached; select "
                    + "fewer columns or rows")
            return false
        }
        rowCount += batch.rowCount
        if batch.rowCount > 0 { try await deliver(batch) }
        return !isFull && !batch.isLast
    }

    private var collectedBytes: Int {
        switch collected {
        case .nothing: 0
        case .long(let long): long.byteCount
        case .wide(let batches): batches.reduce(0) { $0 + $1.byteCount }
        }
    }

    /// A value and its bit of validity.
    private static let cellBytes = 9

    /// How many values may be made of nothing, by filling and by series that have no value at a time.
    private var cellsLeft: Int {
        let most = LongToWide.defaultMaximumCells
        guard let left = context.bytesLeft else { return most }
        return min(most, max(0, left - Self.byteReserve) / Self.cellBytes)
    }

    private mutating func limit(_ text: String) {
        isFull = true
        response.notice(Notice(severity: .warning, text: text))
    }

    private mutating func deliver(_ batch: SQLBatch) async throws {
        var rows = SQLRows(names: names, batch: batch)
        rows.batch.lost = [:]
        try rows.convertTimes(query)
        lost.merge(rows.batch.lost, uniquingKeysWith: +)
        if var gaps {
            let before = rowCount - batch.rowCount
            let room = min(query.rowLimit - before, cellsLeft / max(1, batch.columns.count))
            let isCut = try gaps.apply(to: &rows, limit: room)
            self.gaps = gaps
            rowCount = before + rows.batch.rowCount
            if isCut { limit("Results have been limited to \(rowCount) rows, because filling the gaps makes more") }
        }
        guard query.format != .table else { return try await send(rows) }
        try rows.beSeries(query)
        switch collected {
        case .long(var long):
            collected = .nothing  // so that it is changed in place
            try long.add(rows)
            collected = .long(long)
        case .wide(let batches):
            collected = .wide(batches + [rows.batch])
        case .nothing where sender != nil:
            try await send(rows)
        case .nothing:
            if rows.hasText || query.format == .timeSeriesFrames {
                var long = LongToWide(rows, maximumCells: cellsLeft)
                try long.add(rows)
                collected = .long(long)
            } else if query.fill != nil {
                names = rows.names
                collected = .wide([rows.batch])
            } else {
                try await send(rows)
            }
        }
    }

    private mutating func send(_ rows: SQLRows) async throws {
        let frame = DataFrame(meta: meta, fields: rows.fields)
        sent.flag.store(true, ordering: .relaxed)
        if let sender { try await sender.append(frame) } else { sender = try await response.open(frame) }
    }

    private var meta: FrameMeta {
        var meta = FrameMeta()
        meta.executedQueryString = query.text.literal
        return meta
    }

    /// Sends what was kept back.
    mutating func finish() async throws {
        warn(lost, "do not fit its type and are shown as null")
        warn(rounded, "are rounded, as a number has 53 bits; cast the column to text to see every digit")
        switch collected {
        case .nothing:
            if rowCount == 0 { try await sendEmpty() }
        case .long(let long):
            var wide = try long.finish(namesSeries: query.format == .timeSeries)
            if query.format == .timeSeriesFrames { return try await sendSeries(wide) }
            try resample(&wide)
            var meta = FrameMeta(type: "timeseries-wide")
            meta.executedQueryString = query.text.literal
            wide.meta = meta
            try await sendWhole(wide)
        case .wide(let batches):
            var frame = SQLRows(names: names, batch: SQLBatch.joining(batches)).frame
            try resample(&frame)
            frame.meta = meta
            try await sendWhole(frame)
        }
    }

    /// The frame of an answer without rows, and of one that failed: meta alone.
    mutating func sendEmpty() async throws {
        try await sendWhole(DataFrame(meta: meta))
    }

    private mutating func sendWhole(_ frame: DataFrame) async throws {
        sent.flag.store(true, ordering: .relaxed)
        try await response.send(frame)
    }

    /// One frame a series; those of nulls that have no name are left out.
    private mutating func sendSeries(_ wide: DataFrame) async throws {
        guard let time = wide.fields.first else { return try await sendEmpty() }
        for field in wide.fields.dropFirst() {
            let isNameless = (field.labels?["name"] ?? "").isEmpty
            if isNameless, field.column.nullCount == field.count { continue }
            try await sendWhole(DataFrame(meta: meta, fields: [time, field]))
        }
        if !hasSent { try await sendEmpty() }
    }

    private func warn(_ counts: [String: Int], _ text: String) {
        for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
            response.notice(Notice(severity: .warning, text: "\(count) values of column \"\(name)\" \(text)"))
        }
    }

    private func resample(_ frame: inout DataFrame) throws {
        guard let fill = query.fill else { return }
        let grid = Resampling(
            fill: fill, from: query.from, to: query.to, limit: query.rowLimit, maximumCells: cellsLeft)
        switch try grid.apply(to: frame) {
        case .resampled(let result): frame = result
        case .tooManyPoints:
            response.notice(
                Notice(
                    severity: .warning,
                    text: "Fill operation skipped: time range and interval would require more points than the "
                        + "configured row limit"))
        case .failed: response.notice(Notice(severity: .warning, text: "Failed to resample dataframe"))
        }
    }
}

extension SQLBatch {
    /// The bytes that the columns take.
    var byteCount: Int { columns.reduce(0) { $0 + $1.byteCount } }

    func prefix(_ count: Int) -> SQLBatch {
        guard count < rowCount else { return self }
        return SQLBatch(columns: columns.map { $0.prefix(count) }, rowCount: count, lost: lost, isLast: isLast)
    }

    /// The rows of all batches, which have the same columns.
    static func joining(_ batches: [SQLBatch]) -> SQLBatch {
        guard batches.count > 1, let first = batches.first else {
            return batches.first ?? SQLBatch(columns: [], rowCount: 0, isLast: true)
        }
        let columns = first.columns.indices.map { index in Column.joining(batches.map { $0.columns[index] }) }
        return SQLBatch(columns: columns, rowCount: batches.reduce(0) { $0 + $1.rowCount }, isLast: true)
    }
}
