// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Values of rows that ``ADBCArray/resolve(_:)`` found: none of them is null.
extension ADBCArray {
    func bool(_ row: Int) -> Bool {
        let bit = base + row
        // '!' is fine: the check has seen the buffer
        return (buffer(1)!.load(fromByteOffset: bit >> 3, as: UInt8.self) >> UInt8(bit & 7)) & 1 == 1
    }

    func double(_ row: Int, bytes: Int) -> Double {
        switch bytes {
        case 2: Double(Self.half(load(row)))
        case 4: Double(load(row) as Float)
        default: load(row)
        }
    }

    /// IEEE 754 binary16; Swift's own type is not there on every machine.
    static func half(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10 & 0x1F)
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0: return (bits & 0x8000 != 0 ? -1 : 1) * Float(fraction) * 0x1p-24
        case 0x1F: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }

    func decimal(_ row: Int, scale: Int, bytes: Int) -> String {
        // '!' is fine: the check has seen the buffer
        ADBCText.decimal(UnsafeRawBufferPointer(start: buffer(1)! + (base + row) * bytes, count: bytes), scale: scale)
    }

    /// A day or a point in time; nil before 1677 and after 2262.
    func timestamp(_ row: Int) -> Timestamp? {
        let (value, factor): (Int64, Int64)
        switch field.type {
        case .date(let bytes):
            (value, factor) = (integer(row, bytes: bytes, isSigned: true), bytes == 4 ? 86_400_000_000_000 : 1_000_000)
        case .timestamp(let unit, _): (value, factor) = (load(row), unit)
        default: return nil
        }
        let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow ? nil : Timestamp(nanoseconds: nanoseconds)
    }

    /// A time of the day; nil when there is no such time.
    func timeOfDay(_ row: Int, bytes: Int, unit: Int64) -> String? {
        let (nanoseconds, overflow) = integer(row, bytes: bytes, isSigned: true).multipliedReportingOverflow(by: unit)
        guard !overflow, (0...86_400_000_000_000).contains(nanoseconds) else { return nil }
        return ADBCText.time(nanoseconds: nanoseconds)
    }

    /// In seconds.
    func duration(_ row: Int, unit: Int64) -> Double { Double(load(row) as Int64) / (1e9 / Double(unit)) }

    func interval(_ row: Int, _ layout: ADBCType.Intervals) -> String {
        switch layout {
        case .months: return ADBCText.interval(months: Int64(load(row) as Int32), days: 0, nanoseconds: 0)
        case .dayTime:
            let place = (base + row) * 2 - base
            return ADBCText.interval(
                months: 0, days: Int64(load(place) as Int32),
                nanoseconds: Int64(load(place + 1) as Int32) * 1_000_000)
        case .monthDayNano:
            let place = (base + row) * 4 - base
            return ADBCText.interval(
                months: Int64(load(place) as Int32), days: Int64(load(place + 1) as Int32),
                nanoseconds: load((base + row) * 2 + 1 - base))
        }
    }

    // MARK: JSON

    /// Writes the value of a row, which may be null.
    ///
    /// Lists are arrays, structs objects, maps objects by the text of their keys; what JSON has no word for is a text.
    func writeJSON(_ row: Int, into writer: inout ByteWriter) {
        guard let (leaf, place) = resolve(row) else { return writer.append(literal: "null") }
        leaf.writeValue(place, into: &writer)
    }

    private func writeValue(_ row: Int, into writer: inout ByteWriter) {
        switch field.type {
        case .bool: writer.append(bool(row) ? "true" : "false")
        case .integer(8, false): writer.append(decimal: load(row) as UInt64)
        case .integer(let bytes, let isSigned): writer.append(decimal: integer(row, bytes: bytes, isSigned: isSigned))
        case .float(let bytes): Self.writeNumber(double(row, bytes: bytes), into: &writer)
        case .decimal(let scale, let bytes): writer.append(decimal(row, scale: scale, bytes: bytes))
        case .duration(let unit): Self.writeNumber(duration(row, unit: unit), into: &writer)
        case .list(_, let element):
            let (from, to) = range(row)
            writeList(child(0, element), from..<to, into: &writer)
        case .structure(let fields): writeStructure(fields, row, into: &writer)
        case .map(let entries): writeMap(child(0, entries), range(row), into: &writer)
        case .text where field.extensionName == "arrow.json": writeStoredJSON(row, into: &writer)
        default:
            if let text = text(row) { writer.append(jsonString: text) } else { writer.append(literal: "null") }
        }
    }

    private static func writeNumber(_ value: Double, into writer: inout ByteWriter) {
        guard !value.isFinite else { return writer.append(decimal: value) }
        writer.append(value.isNaN ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
    }

    private func writeList(_ elements: ADBCArray, _ rows: Range<Int>, into writer: inout ByteWriter) {
        writer.append(UInt8(ascii: "["))
        for row in rows {
            if row > rows.lowerBound { writer.append(UInt8(ascii: ",")) }
            elements.writeJSON(row, into: &writer)
        }
        writer.append(UInt8(ascii: "]"))
    }

    private func writeStructure(_ fields: [ADBCField], _ row: Int, into writer: inout ByteWriter) {
        writer.append(UInt8(ascii: "{"))
        for (index, part) in fields.enumerated() {
            if index > 0 { writer.append(UInt8(ascii: ",")) }
            writer.append(jsonString: part.name)
            writer.append(UInt8(ascii: ":"))
            child(index, part, start: base).writeJSON(row, into: &writer)
        }
        writer.append(UInt8(ascii: "}"))
    }

    private func writeMap(_ entries: ADBCArray, _ range: (from: Int, to: Int), into writer: inout ByteWriter) {
        guard case .structure(let fields) = entries.field.type else { return writer.append(literal: "null") }
        let keys = entries.child(0, fields[0], start: entries.base)
        let values = entries.child(1, fields[1], start: entries.base)
        writer.append(UInt8(ascii: "{"))
        for row in range.from..<range.to {
            if row > range.from { writer.append(UInt8(ascii: ",")) }
            var key = ByteWriter()
            keys.writeJSON(row, into: &key)
            // A key that is a text stands as it is; the JSON of another one is its text.
            let text = key.string()
            if text.hasPrefix("\"") { writer.append(text) } else { writer.append(jsonString: text) }
            writer.append(UInt8(ascii: ":"))
            values.writeJSON(row, into: &writer)
        }
        writer.append(UInt8(ascii: "}"))
    }

    /// A text that is JSON already; one that is not stays a text.
    private func writeStoredJSON(_ row: Int, into writer: inout ByteWriter) {
        guard let bytes = bytes(row) else { return writer.append(literal: "null") }
        if (try? JSONSlices.value(at: [], in: bytes)) != nil {
            writer.append(bytes)
        } else {
            writer.append(jsonString: bytes)
        }
    }

    // MARK: Texts

    /// The text of a value that is shown as one; nil when the value cannot be shown.
    func text(_ row: Int) -> String? {
        switch field.type {
        case .text, .binary:
            guard let bytes = bytes(row) else { return nil }
            if SQLBytes.isUTF8(bytes) { return String(decoding: bytes, as: UTF8.self) }
            return String(decoding: SQLBytes.hexadecimal(bytes), as: UTF8.self)
        case .fixedBinary(let size):
            guard let bytes = bytes(row) else { return nil }
            if size == 16, field.extensionName == "arrow.uuid" { return ADBCText.uuid(bytes) }
            return String(decoding: SQLBytes.hexadecimal(bytes), as: UTF8.self)
        case .time(let bytes, let unit): return timeOfDay(row, bytes: bytes, unit: unit)
        case .interval(let layout): return interval(row, layout)
        case .timestamp: return timestamp(row).map { DateTimeText.rfc3339($0) }
        case .date(let bytes):
            let value = integer(row, bytes: bytes, isSigned: true)
            return ADBCText.date(days: bytes == 4 ? value : floorDivide(value, 86_400_000))
        default: return nil
        }
    }
}
