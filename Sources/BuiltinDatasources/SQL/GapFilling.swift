// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Puts rows of nulls where times of equal steps are missing between rows.
struct GapFilling {
    let seconds: Int64
    private var last: Int64?

    init(seconds: Int64) { self.seconds = seconds }

    /// Puts the missing rows between those of a batch; batches come in order.
    ///
    /// - Returns: Whether rows are left out, as there would be more than the limit.
    /// - Throws: ``PluginError`` `.invalid` for times that are null or go back.
    mutating func apply(to rows: inout SQLRows, limit: Int) throws -> Bool {
        guard let timeIndex = rows.timeIndex else { throw Self.failure("no time column found to use for gap filling") }
        let times = rows.batch.columns[timeIndex]
        var sources: [Int?] = []
        var filled: [Timestamp] = []
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let step = overflow ? Int64.max : nanoseconds
        var isCut = false
        for row in 0..<rows.batch.rowCount where !isCut {
            guard let time = times[row, as: Timestamp.self]?.nanoseconds else {
                throw Self.failure("received NULL value in time column")
            }
            if var before = last {
                guard time >= before else {
                    throw Self.failure(
                        "received unordered time value. The time column needs to be sorted ascending")
                }
                while sources.count < limit, Int128(time) - Int128(before) > Int128(step) {
                    before += step
                    sources.append(nil)
                    filled.append(Timestamp(nanoseconds: before))
                }
            }
            isCut = sources.count >= limit
            guard !isCut else { break }
            last = time
            sources.append(row)
            filled.append(Timestamp(nanoseconds: time))
        }
        rows.batch.rowCount = sources.count
        rows.batch.columns = rows.batch.columns.indices.map { index in
            index == timeIndex ? Column(filled.map { Optional($0) }) : rows.batch.columns[index].gathering(sources)
        }
        return isCut
    }

    private static func failure(_ text: String) -> PluginError { PluginError(.invalid, text, source: .downstream) }
}

extension Column {
    /// The values of the rows in that order; nil is null.
    func gathering(_ rows: [Int?]) -> Column {
        switch type {
        case .int8: gather(rows, Int8.self)
        case .int16: gather(rows, Int16.self)
        case .int32: gather(rows, Int32.self)
        case .int64: gather(rows, Int64.self)
        case .uint8: gather(rows, UInt8.self)
        case .uint16: gather(rows, UInt16.self)
        case .uint32: gather(rows, UInt32.self)
        case .uint64: gather(rows, UInt64.self)
        case .float32: gather(rows, Float.self)
        case .float64: gather(rows, Double.self)
        case .string: gather(rows, String.self)
        case .bool: gather(rows, Bool.self)
        case .time: gather(rows, Timestamp.self)
        case .json: gather(rows, JSONText.self)
        case .enum: gather(rows, EnumIndex.self)
        }
    }

    private func gather<Element: ColumnElement>(_ rows: [Int?], _ type: Element.Type) -> Column {
        var builder = ColumnBuilder<Element>(isNullable: true, capacity: rows.count)
        for row in rows { builder.append(row.flatMap { self[$0, as: type] }) }
        return builder.finish()
    }
}
