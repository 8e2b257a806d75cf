// SPDX-License-Identifier: Apache-2.0
import CArrowTable
import PluginABI

/// The frames of a statement as SQLite reads them: in place.
///
/// The pointers lead into the frames, which stay as long as this does; it has to outlive the database.
struct SQLTables: ~Copyable {
    private let frames: [DataFrame]
    /// Texts and structures in memory of C.
    private var memory: [UnsafeMutableRawPointer] = []
    private var tables: [UnsafeMutablePointer<arrow_table_t>] = []

    /// - Parameter frames: By table name; every frame has columns with different names.
    init(_ named: [String: DataFrame]) {
        let sorted = named.sorted { $0.key < $1.key }
        frames = sorted.map { Self.readable($0.value) }
        for ((name, _), frame) in zip(sorted, frames) { add(frame, name) }
    }

    deinit {
        for table in tables {
            arrow_table_release(table)
            table.deallocate()
        }
        for piece in memory { piece.deallocate() }
    }

    /// Makes all tables known to a database.
    ///
    /// - Returns: The first result code that is not `SQLITE_OK`.
    func register(in database: OpaquePointer) -> Int32 {
        for table in tables {
            let code = arrow_table_register(database, table)
            guard code == 0 else { return code }
        }
        return 0
    }

    /// The frame with a column at least, and enum columns as their texts.
    private static func readable(_ frame: DataFrame) -> DataFrame {
        var frame = frame
        if frame.fields.isEmpty { frame.fields = [Field("no_data", [Double?]())] }
        for index in frame.fields.indices where frame.fields[index].type == .enum {
            let column = frame.fields[index].column
            let texts = frame.fields[index].config?.enumTexts ?? []
            let values = (0..<column.count).map { row -> String? in
                guard let place = column[row, as: EnumIndex.self].map({ Int($0.value) }) else { return nil }
                return texts.indices.contains(place) ? texts[place] : "\(place)"
            }
            frame.fields[index].column = Column(values)
        }
        return frame
    }

    private mutating func add(_ frame: DataFrame, _ name: String) {
        let columns = UnsafeMutablePointer<arrow_column_t>.allocate(capacity: frame.fields.count)
        memory.append(UnsafeMutableRawPointer(columns))
        for (index, field) in frame.fields.enumerated() {
            columns.advanced(by: index).initialize(to: column(field))
        }
        let table = UnsafeMutablePointer<arrow_table_t>.allocate(capacity: 1)
        table.initialize(
            to: arrow_table_t(
                name: text(name), rows: Int64(frame.rowCount), column_count: Int32(frame.fields.count),
                columns: columns, indexes: nil))
        tables.append(table)
    }

    private mutating func text(_ text: String) -> UnsafePointer<CChar> {
        let bytes = Array(text.utf8CString)
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        copy.initialize(from: bytes, count: bytes.count)
        memory.append(UnsafeMutableRawPointer(copy))
        return UnsafePointer(copy)
    }

    private mutating func column(_ field: Field) -> arrow_column_t {
        let column = field.column
        var result = arrow_column_t()
        result.name = text(field.name)
        result.declared = text(SQLType.declared(column.type))
        result.type = Int32(bitPattern: SQLType.arrow(column.type))
        result.first_bit = Int64(column.offset)
        result.validity =
            column.nullCount == 0
            ? nil : column.validity?.pointer?.assumingMemoryBound(to: UInt8.self)
        result.values = column.values.pointer.map { $0 + column.offset * column.type.byteWidth }
        result.value_bytes = Int64(column.values.byteCount)
        result.offsets = column.offsets?.pointer.map {
            ($0 + column.offset * 4).assumingMemoryBound(to: Int32.self)
        }
        return result
    }
}

/// How the types of fields and of SQL stand for each other.
enum SQLType {
    /// The type that a column declares; the answer's columns are read by it.
    static func declared(_ type: FieldType) -> String {
        switch type {
        case .float32, .float64: "REAL"
        case .string, .enum: "TEXT"
        case .json: "JSON TEXT"
        case .bool: "BOOLEAN"
        case .time: "TIMESTAMP TEXT"
        default: "INTEGER"
        }
    }

    static func arrow(_ type: FieldType) -> UInt32 {
        switch type {
        case .int8: UInt32(ARROW_INT8)
        case .int16: UInt32(ARROW_INT16)
        case .int32: UInt32(ARROW_INT32)
        case .int64: UInt32(ARROW_INT64)
        case .uint8: UInt32(ARROW_UINT8)
        case .uint16, .enum: UInt32(ARROW_UINT16)
        case .uint32: UInt32(ARROW_UINT32)
        case .uint64: UInt32(ARROW_UINT64)
        case .float32: UInt32(ARROW_FLOAT32)
        case .float64: UInt32(ARROW_FLOAT64)
        case .string, .json: UInt32(ARROW_TEXT)
        case .bool: UInt32(ARROW_BOOL)
        case .time: UInt32(ARROW_TIME)
        }
    }

    /// The field type of a column that a statement passes on; nil for a calculated one.
    static func field(declared: String?) -> FieldType? {
        switch declared {
        case "JSON TEXT": .json
        case "BOOLEAN": .bool
        case "TIMESTAMP TEXT": .time
        case "TEXT": .string
        case "REAL": .float64
        case "INTEGER": .int64
        default: nil
        }
    }
}
