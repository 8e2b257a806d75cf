// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import PluginABI

/// Owns an array that a driver gave, and releases it with the last column that refers to it.
///
/// Safety: the buffers of an array do not change, and its release may be called on any thread.
final class ADBCArrayOwner: @unchecked Sendable {  // Safety: its buffers do not change
    private(set) var array: ArrowArray

    init(moving source: inout ArrowArray) {
        array = source
        source.release = nil
    }

    deinit {
        let release = array.release
        release?(&array)
    }
}

/// Makes columns of frames from arrays.
///
/// What a frame has a type for keeps its memory: integers, floats, bools, UTF-8 with 32-bit offsets, timestamps in
/// nanoseconds. The rest is converted; a value that its new type cannot hold becomes null and is counted.
struct ADBCColumn {
    let array: ADBCArray
    let rows: Int
    let owner: ADBCArrayOwner
    private(set) var lost = 0

    /// - Parameter array: was checked for so many rows.
    init(_ array: ADBCArray, rows: Int, owner: ADBCArrayOwner) {
        self.array = array
        self.rows = rows
        self.owner = owner
    }

    mutating func make() -> Column {
        if let type = array.field.nativeType, let column = native(type) { return column }
        return convert(array.field.leaf)
    }

    // MARK: In place

    /// The column in the driver's memory; nil when its texts are not all UTF-8, so that they have to be converted.
    private func native(_ type: FieldType) -> Column? {
        let end = array.base + rows
        func buffer(_ index: Int, _ byteCount: Int) -> ArrowBuffer {
            ArrowBuffer(pointer: array.buffer(index), byteCount: byteCount, owner: owner)
        }
        let byteCount = type == .bool ? (end + 7) / 8 : end * type.byteWidth
        let texts = type.isText && rows > 0 ? array.range(rows - 1).to : 0
        var parts = ColumnParts(
            type: type, isNullable: true, count: rows, values: type.isText ? buffer(2, texts) : buffer(1, byteCount))
        parts.offset = array.base
        parts.nullCount = array.array.null_count == 0 ? 0 : nil
        parts.validity = array.buffer(0) == nil ? nil : buffer(0, (end + 7) / 8)
        if type.isText { parts.offsets = buffer(1, (end + 1) * 4) }
        return try? Column(validating: parts, field: array.field.name)
    }

    // MARK: Converted

    private mutating func convert(_ leaf: ADBCField) -> Column {
        switch leaf.type {
        case .null: return fill(String.self) { _, _ in nil }
        case .bool: return fill(Bool.self) { $0.bool($1) }
        case .integer(1, true): return fill(Int8.self) { $0.load($1, as: Int8.self) }
        case .integer(2, true): return fill(Int16.self) { $0.load($1, as: Int16.self) }
        case .integer(4, true): return fill(Int32.self) { $0.load($1, as: Int32.self) }
        case .integer(_, true): return fill(Int64.self) { $0.load($1, as: Int64.self) }
        case .integer(1, false): return fill(UInt8.self) { $0.load($1, as: UInt8.self) }
        case .integer(2, false): return fill(UInt16.self) { $0.load($1, as: UInt16.self) }
        case .integer(4, false): return fill(UInt32.self) { $0.load($1, as: UInt32.self) }
        case .integer(_, false): return fill(UInt64.self) { $0.load($1, as: UInt64.self) }
        case .float(8): return fill(Double.self) { $0.load($1, as: Double.self) }
        case .float(let bytes): return fill(Float.self) { Float($0.double($1, bytes: bytes)) }
        case .decimal(let scale, let bytes):
            return fill(Double.self) { FloatParser.parse($0.decimal($1, scale: scale, bytes: bytes)) }
        case .duration(let unit): return fill(Double.self) { $0.duration($1, unit: unit) }
        case .date: return fill(Timestamp.self) { $0.timestamp($1) }
        case .timestamp(let unit, _): return scaled(by: unit) ?? fill(Timestamp.self) { $0.timestamp($1) }
        case .text where leaf.extensionName == "arrow.json": return json { $0.bytes($1).map { Array($0) } }
        case .text where leaf.isNumericText:
            return fill(Double.self) { array, row in array.bytes(row).flatMap { SQLNumber.double($0) } }
        case .list, .structure, .map, .union:
            return json { array, row in
                var writer = ByteWriter()
                array.writeJSON(row, into: &writer)
                return writer.finish()
            }
        case .text, .binary, .fixedBinary, .time, .interval, .dictionary, .runs: return texts()
        }
    }

    private mutating func fill<Element: ColumnElement>(
        _ type: Element.Type, _ value: (ADBCArray, Int) -> Element?
    ) -> Column {
        var builder = ColumnBuilder<Element>(isNullable: true, capacity: rows)
        for row in 0..<rows {
            guard let (leaf, place) = array.resolve(row) else {
                builder.appendNull()
                continue
            }
            let found = value(leaf, place)
            if found == nil { lost += 1 }
            builder.append(found)
        }
        return builder.finish()
    }

    private mutating func texts() -> Column {
        var builder = ColumnBuilder<String>(isNullable: true, capacity: rows)
        for row in 0..<rows {
            guard let (leaf, place) = array.resolve(row) else {
                builder.appendNull()
                continue
            }
            if case .text = leaf.field.type, let bytes = leaf.bytes(place) {
                SQLBytes.append(bytes, to: &builder)
            } else if let text = leaf.text(place) {
                builder.append(text)
            } else {
                lost += 1
                builder.appendNull()
            }
        }
        return builder.finish()
    }

    /// Values that are shown as JSON; what is none is lost.
    private mutating func json(_ value: (ADBCArray, Int) -> [UInt8]?) -> Column {
        var builder = ColumnBuilder<JSONText>(isNullable: true, capacity: rows)
        for row in 0..<rows {
            guard let (leaf, place) = array.resolve(row) else {
                builder.appendNull()
                continue
            }
            let isStored = value(leaf, place)?.withUnsafeBufferPointer { bytes -> Bool in
                guard (try? JSONSlices.value(at: [], in: bytes)) != nil else { return false }
                builder.appendUTF8(bytes)
                return true
            }
            guard isStored != true else { continue }
            lost += 1
            builder.appendNull()
        }
        return builder.finish()
    }

    /// Times in nanoseconds from times in a larger unit; nil when one does not fit, or when they lie in a dictionary.
    private func scaled(by unit: Int64) -> Column? {
        guard case .timestamp = array.field.type, let numbers = native(.int64) else { return nil }
        var overflows = false
        let times = Column(filling: rows, validity: ValidityBits(of: numbers)) {
            (target: UnsafeMutableBufferPointer<Timestamp>) in
            numbers.withValues(as: Int64.self) { values in
                for (row, value) in values.enumerated() {
                    let (product, overflow) = value.multipliedReportingOverflow(by: unit)
                    overflows = overflows || overflow
                    target[row] = Timestamp(nanoseconds: product)
                }
            }
        }
        return overflows ? nil : times
    }
}

extension ADBCField {
    /// The type of a frame's field whose memory is the same; nil when values have to be converted.
    var nativeType: FieldType? {
        switch type {
        case .bool: .bool
        case .integer(1, true): .int8
        case .integer(2, true): .int16
        case .integer(4, true): .int32
        case .integer(_, true): .int64
        case .integer(1, false): .uint8
        case .integer(2, false): .uint16
        case .integer(4, false): .uint32
        case .integer(_, false): .uint64
        case .float(4): .float32
        case .float(8): .float64
        case .text(.narrow) where extensionName != "arrow.json" && !isNumericText: .string
        case .timestamp(1, _): .time
        default: nil
        }
    }

    /// Behind dictionaries and runs.
    var leaf: ADBCField {
        switch type {
        case .dictionary(_, _, let values), .runs(_, let values): values.leaf
        default: self
        }
    }

    /// `numeric` of the PostgreSQL driver, which has a text for a number without bounds.
    var isNumericText: Bool {
        guard extensionName == "arrow.opaque", case .text = type else { return false }
        let metadata = try? JSONValue(parsing: Array(extensionMetadata.utf8))
        return metadata?["type_name"]?.string == "numeric"
    }
}
