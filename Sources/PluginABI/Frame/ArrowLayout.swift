// SPDX-License-Identifier: Apache-2.0

/// How strictly buffers from outside are checked.
public enum FrameValidation: Sendable {
    /// Lengths, counts and the outer offsets: for buffers whose maker shares our memory anyway. Cost without nulls is
    /// independent of the rows.
    case basic
    /// Also that all offsets ascend and lie inside, that texts are UTF-8 and JSON is JSON: for buffers that come from elsewhere.
    case full
}

/// How the values of a field lie in an Arrow array, when not as in a ``Column``.
enum ArrowLayout: Sendable, Equatable {
    /// As in a column: used in place.
    case native
    /// Times in another unit: converted.
    case timestamp(nanosecondsPerUnit: Int64)
    /// Text with 64-bit offsets: copied.
    case largeText
    /// Text views: copied.
    case textView
}

/// The type of a field and how it lies in memory.
struct ArrowType: Equatable {
    var type: FieldType
    var layout = ArrowLayout.native

    init(_ type: FieldType, _ layout: ArrowLayout = .native) {
        self.type = type
        self.layout = layout
    }

    /// Reads a format string of the C Data Interface; nil for types that frames do not have.
    ///
    /// - Parameter isEnum: Whether the metadata of the field say so; then 16-bit unsigned integers are indexes.
    init?(format: String, isEnum: Bool) {
        switch format {
        case "c": self.init(.int8)
        case "s": self.init(.int16)
        case "i": self.init(.int32)
        case "l": self.init(.int64)
        case "C": self.init(.uint8)
        case "S": self.init(isEnum ? .enum : .uint16)
        case "I": self.init(.uint32)
        case "L": self.init(.uint64)
        case "f": self.init(.float32)
        case "g": self.init(.float64)
        case "b": self.init(.bool)
        case "u": self.init(.string)
        case "z": self.init(.json)
        case "U": self.init(.string, .largeText)
        case "Z": self.init(.json, .largeText)
        case "vu": self.init(.string, .textView)
        case "vz": self.init(.json, .textView)
        default:
            guard let layout = Self.timestampLayout(format) else { return nil }
            self.init(.time, layout)
        }
    }

    /// `ts`, the unit `s`, `m`, `u` or `n`, a colon and a time zone, which does not matter.
    private static func timestampLayout(_ format: String) -> ArrowLayout? {
        let letters = Array(format.utf8.prefix(4))
        guard letters.count == 4, letters[0] == UInt8(ascii: "t"), letters[1] == UInt8(ascii: "s"),
            letters[3] == UInt8(ascii: ":")
        else { return nil }
        switch letters[2] {
        case UInt8(ascii: "s"): return .timestamp(nanosecondsPerUnit: 1_000_000_000)
        case UInt8(ascii: "m"): return .timestamp(nanosecondsPerUnit: 1_000_000)
        case UInt8(ascii: "u"): return .timestamp(nanosecondsPerUnit: 1000)
        case UInt8(ascii: "n"): return .native
        default: return nil
        }
    }

    static func unsupported(_ type: String, field: String) -> FrameError {
        FrameError(
            .unsupportedType,
            "field '\(field)' has the Arrow type \(type), which frames do not have; use an integer, a float, bool, "
                + "utf8, binary (JSON) or a timestamp")
    }
}

extension FieldType {
    /// The format string of the C Data Interface.
    var arrowFormat: StaticString {
        switch self {
        case .int8: "c"
        case .int16: "s"
        case .int32: "i"
        case .int64: "l"
        case .uint8: "C"
        case .uint16, .enum: "S"
        case .uint32: "I"
        case .uint64: "L"
        case .float32: "f"
        case .float64: "g"
        case .bool: "b"
        case .string: "u"
        case .json: "z"
        case .time: "tsn:"
        }
    }
}
