// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Which column holds which type of PostgreSQL, by the numbers of its catalogue `pg_type`.
enum PostgreSQLType {
    /// The column for a type; types that have no other are shown as PostgreSQL prints them.
    ///
    /// - Parameter modifier: The precision and scale of a `numeric`; -1: none.
    static func column(oid: UInt32, modifier: Int32) -> any SQLTextColumn {
        if let element = arrayElements[oid] {
            return SQLJSONColumn { PostgreSQLArray.json(of: $0, element: element) }
        }
        return switch oid {
        case 16: SQLParsedColumn<Bool> { $0.first == UInt8(ascii: "t") }
        case 21: SQLParsedColumn<Int16> { SQLNumber.integer($0) }
        case 23: SQLParsedColumn<Int32> { SQLNumber.integer($0) }
        case 20, 26, 28, 29: SQLParsedColumn<Int64> { SQLNumber.integer($0) }  // int8, oid, xid, cid
        case 700, 701: SQLParsedColumn<Double> { SQLNumber.double($0) }  // float4, float8
        case 1700 where isWhole(modifier): SQLParsedColumn<Int64> { SQLNumber.integer($0) }  // numeric(9)
        case 1700: SQLDecimalColumn()  // numeric
        case 1082, 1114, 1184: SQLParsedColumn<Timestamp> { DateTimeText.parse($0) }  // date, timestamp, timestamptz
        case 114, 3802: SQLJSONColumn()  // json, jsonb
        default: SQLStringColumn()
        }
    }

    /// Whether a `numeric` of this precision and scale is a whole number of 64 bits.
    private static func isWhole(_ modifier: Int32) -> Bool {
        guard modifier >= 4 else { return false }
        let (precision, scale) = ((modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF)
        return scale == 0 && precision <= SQLNumber.wholeDigits
    }

    /// What the elements of an array become in JSON.
    enum Element: Sendable {
        case number
        case bool
        case json
        case text
    }

    /// The types of arrays.
    private static let arrayElements: [UInt32: Element] = [
        1000: .bool, 1005: .number, 1007: .number, 1016: .number, 1021: .number, 1022: .number, 1231: .number,
        1028: .number, 199: .json, 3807: .json, 1001: .text, 1002: .text, 1003: .text, 1009: .text, 1014: .text,
        1015: .text, 2951: .text, 1115: .text, 1182: .text, 1183: .text, 1185: .text, 1187: .text, 1270: .text,
        1041: .text, 651: .text, 1040: .text, 775: .text, 1561: .text, 1563: .text, 791: .text, 143: .text,
        1017: .text, 2210: .text, 3905: .text, 3907: .text, 3909: .text, 3911: .text, 3913: .text, 3927: .text,
    ]
}

/// Arrays as PostgreSQL prints them: `{1,2,NULL}`, `{{a,"b c"},{d,e}}`, `[0:1]={1,2}`.
enum PostgreSQLArray {
    /// The array as JSON; nil when the text is none.
    static func json(of text: UnsafeBufferPointer<UInt8>, element: PostgreSQLType.Element) -> [UInt8]? {
        var reader = Reader(bytes: text, element: element)
        // Bounds that do not begin at 1 stand before the array; JSON has no place for them.
        if text.first == UInt8(ascii: "[") {
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            reader.index = equals + 1
        }
        guard reader.array(depth: 0), reader.index == text.count else { return nil }
        return reader.output
    }

    private struct Reader {
        let bytes: UnsafeBufferPointer<UInt8>
        let element: PostgreSQLType.Element
        var index = 0
        var output: [UInt8] = []

        private var byte: UInt8? { index < bytes.count ? bytes[index] : nil }

        mutating func array(depth: Int) -> Bool {
            // PostgreSQL has at most six dimensions.
            guard depth < 6, byte == UInt8(ascii: "{") else { return false }
            index += 1
            output.append(UInt8(ascii: "["))
            var isFirst = true
            while let next = byte {
                if next == UInt8(ascii: "}") {
                    index += 1
                    output.append(UInt8(ascii: "]"))
                    return true
                }
                if !isFirst {
                    guard next == UInt8(ascii: ",") else { return false }
                    index += 1
                    output.append(UInt8(ascii: ","))
                }
                isFirst = false
                let isInner = byte == UInt8(ascii: "{")
                guard isInner ? array(depth: depth + 1) : value() else { return false }
            }
            return false
        }

        private mutating func value() -> Bool {
            var text: [UInt8] = []
            let isQuoted = byte == UInt8(ascii: "\"")
            if isQuoted { index += 1 }
            while let next = byte {
                if isQuoted, next == UInt8(ascii: "\"") { break }
                if !isQuoted, next == UInt8(ascii: ",") || next == UInt8(ascii: "}") { break }
                if next == UInt8(ascii: "\\") {
                    index += 1
                    guard byte != nil else { return false }
                }
                text.append(bytes[index])
                index += 1
            }
            if isQuoted {
                guard byte == UInt8(ascii: "\"") else { return false }
                index += 1
            }
            write(text, isQuoted: isQuoted)
            return true
        }

        private static func isNumber(_ text: [UInt8]) -> Bool {
            guard let first = text.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else {
                return false
            }
            return (try? JSONSlices.value(at: [], in: text)) != nil
        }

        private mutating func write(_ text: [UInt8], isQuoted: Bool) {
            let string = String(decoding: text, as: UTF8.self)
            if !isQuoted, string.uppercased() == "NULL" {
                output += "null".utf8
                return
            }
            switch element {
            case .bool: output += (string == "t" ? "true" : "false").utf8
            case .json: output += text
            // NaN and infinities are no numbers of JSON.
            case .number where Self.isNumber(text):
                output += text
            case .number, .text: output += JSONValue.string(string).encoded().utf8
            }
        }
    }
}
