// SPDX-License-Identifier: Apache-2.0

/// The numbers of the Arrow IPC format.
///
/// - SeeAlso: Apache Arrow, `format/File.fbs`, `Message.fbs`, `Schema.fbs`.
enum ArrowFormat {
    static let magic = Array("ARROW1".utf8)
    /// Before the length of every message.
    static let continuation: UInt32 = 0xffff_ffff
    /// `MetadataVersion.V5`.
    static let version: Int16 = 4
    /// `MetadataVersion.V4`, which differs only in unions.
    static let oldestVersion: Int16 = 3

    enum Header {
        static let schema: UInt8 = 1
        static let recordBatch: UInt8 = 3
    }

    /// The ids of the union `Type`.
    enum TypeID {
        static let int: UInt8 = 2
        static let floatingPoint: UInt8 = 3
        static let binary: UInt8 = 4
        static let utf8: UInt8 = 5
        static let bool: UInt8 = 6
        static let timestamp: UInt8 = 10
        static let largeBinary: UInt8 = 19
        static let largeUtf8: UInt8 = 20
        static let binaryView: UInt8 = 23
        static let utf8View: UInt8 = 24
    }
}

extension FieldType {
    /// The id in the union `Type` and the fields of its table.
    var arrowType: (id: UInt8, slots: [FlatBufferWriter.Slot]) {
        switch self {
        case .int8: (ArrowFormat.TypeID.int, [.int(8), .byte(1)])
        case .int16: (ArrowFormat.TypeID.int, [.int(16), .byte(1)])
        case .int32: (ArrowFormat.TypeID.int, [.int(32), .byte(1)])
        case .int64: (ArrowFormat.TypeID.int, [.int(64), .byte(1)])
        case .uint8: (ArrowFormat.TypeID.int, [.int(8), .byte(0)])
        case .uint16, .enum: (ArrowFormat.TypeID.int, [.int(16), .byte(0)])
        case .uint32: (ArrowFormat.TypeID.int, [.int(32), .byte(0)])
        case .uint64: (ArrowFormat.TypeID.int, [.int(64), .byte(0)])
        case .float32: (ArrowFormat.TypeID.floatingPoint, [.short(1)])
        case .float64: (ArrowFormat.TypeID.floatingPoint, [.short(2)])
        case .string: (ArrowFormat.TypeID.utf8, [])
        case .bool: (ArrowFormat.TypeID.bool, [])
        case .time: (ArrowFormat.TypeID.timestamp, [.short(3)])
        case .json: (ArrowFormat.TypeID.binary, [])
        }
    }
}

extension ArrowType {
    /// Reads a member of the union `Type`; nil for types that frames do not have.
    init?(id: UInt8, table: FlatTable, isEnum: Bool) throws(FrameError) {
        switch id {
        case ArrowFormat.TypeID.int:
            guard let type = try Self.integer(table, isEnum: isEnum) else { return nil }
            self.init(type)
        case ArrowFormat.TypeID.floatingPoint:
            switch try table.number(0, default: Int16(0)) {
            case 1: self.init(.float32)
            case 2: self.init(.float64)
            default: return nil
            }
        case ArrowFormat.TypeID.binary: self.init(.json)
        case ArrowFormat.TypeID.utf8: self.init(.string)
        case ArrowFormat.TypeID.bool: self.init(.bool)
        case ArrowFormat.TypeID.timestamp:
            guard let layout = Self.timestampLayout(unit: try table.number(0, default: Int16(0))) else { return nil }
            self.init(.time, layout)
        case ArrowFormat.TypeID.largeBinary: self.init(.json, .largeText)
        case ArrowFormat.TypeID.largeUtf8: self.init(.string, .largeText)
        case ArrowFormat.TypeID.binaryView: self.init(.json, .textView)
        case ArrowFormat.TypeID.utf8View: self.init(.string, .textView)
        default: return nil
        }
    }

    private static func integer(_ table: FlatTable, isEnum: Bool) throws(FrameError) -> FieldType? {
        let isSigned = try table.bool(1)
        switch try table.number(0, default: Int32(0)) {
        case 8: return isSigned ? .int8 : .uint8
        case 16: return isSigned ? .int16 : isEnum ? .enum : .uint16
        case 32: return isSigned ? .int32 : .uint32
        case 64: return isSigned ? .int64 : .uint64
        default: return nil
        }
    }

    private static func timestampLayout(unit: Int16) -> ArrowLayout? {
        switch unit {
        case 0: .timestamp(nanosecondsPerUnit: 1_000_000_000)
        case 1: .timestamp(nanosecondsPerUnit: 1_000_000)
        case 2: .timestamp(nanosecondsPerUnit: 1000)
        case 3: .native
        default: nil
        }
    }
}
