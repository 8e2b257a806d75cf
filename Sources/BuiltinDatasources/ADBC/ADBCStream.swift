// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import Glibc
import PluginABI

/// The result of a statement or of a question about the catalogue, batch by batch; stays on one thread.
final class ADBCStream {
    let fields: [ADBCField]
    private let caller: ADBCCaller
    private let stream: UnsafeMutablePointer<ArrowArrayStream>
    private let isQuery: Bool

    /// Takes over a stream that a driver filled and reads its schema.
    ///
    /// - Parameter fill: Gets the place for the stream.
    /// - Throws: ``PluginError``.
    init(
        _ caller: ADBCCaller, _ what: String, isQuery: Bool = false,
        _ fill: (UnsafeMutablePointer<ArrowArrayStream>, UnsafeMutablePointer<AdbcError>) -> AdbcStatusCode?
    ) throws {
        self.caller = caller
        self.isQuery = isQuery
        let place = UnsafeMutablePointer<ArrowArrayStream>.allocate(capacity: 1)
        place.initialize(to: ArrowArrayStream())
        stream = place
        do {
            try caller.call(what, isQuery: isQuery) { fill(place, $0) }
            fields = try Self.schema(place, caller, isQuery)
        } catch {
            Self.release(place)
            throw error
        }
    }

    deinit { Self.release(stream) }

    private static func release(_ stream: UnsafeMutablePointer<ArrowArrayStream>) {
        let release = stream.pointee.release
        release?(stream)
        stream.deallocate()
    }

    private static func schema(
        _ stream: UnsafeMutablePointer<ArrowArrayStream>, _ caller: ADBCCaller, _ isQuery: Bool
    ) throws -> [ADBCField] {
        guard stream.pointee.release != nil, let get = stream.pointee.get_schema, stream.pointee.get_next != nil else {
            throw PluginError(
                .badData,
                "the ADBC driver \"\(caller.driver.name)\" said that the statement succeeded and gave no result",
                source: .downstream)
        }
        var schema = ArrowSchema()
        let status = get(stream, &schema)
        defer {
            let release = schema.release
            release?(&schema)
        }
        guard status == 0 else { throw failure(stream, status, caller, isQuery) }
        let root = try ADBCField(schema)
        guard case .structure(let fields) = root.type else {
            throw ADBCFault.schema(root.name, "a result is a struct with one child a column, not \(root.type.name)")
        }
        return fields
    }

    /// The failure of a stream: the driver's own error, else the text that every stream has.
    private static func failure(
        _ stream: UnsafeMutablePointer<ArrowArrayStream>, _ status: Int32, _ caller: ADBCCaller, _ isQuery: Bool
    ) -> PluginError {
        var code = UInt8(ADBC_STATUS_UNKNOWN)
        let what = "reading the result"
        if let told = caller.table.ErrorFromArrayStream?(stream, &code) {
            return ADBCFailure(status: Int32(code), reading: told, driver: caller.driver)
                .error(what, isQuery: isQuery, hiding: caller.secrets)
        }
        var error = AdbcError()
        let text = stream.pointee.get_last_error?(stream)
        error.message = text.map { UnsafeMutablePointer(mutating: $0) }
        var failure = ADBCFailure(status: Self.status(of: status), reading: &error, driver: nil)
        if failure.message.isEmpty { failure.message = String(cString: strerror(status)) }
        return failure.error(what, isQuery: isQuery, hiding: caller.secrets)
    }

    private static func status(of errno: Int32) -> Int32 {
        switch errno {
        case ECANCELED: ADBC_STATUS_CANCELLED
        case ETIMEDOUT: ADBC_STATUS_TIMEOUT
        case EIO: ADBC_STATUS_IO
        case EINVAL: ADBC_STATUS_INVALID_ARGUMENT
        case ENOTSUP, ENOSYS: ADBC_STATUS_NOT_IMPLEMENTED
        default: ADBC_STATUS_UNKNOWN
        }
    }

    /// Waits for the next rows; nil at the end.
    ///
    /// - Throws: ``PluginError``.
    func next() throws -> ADBCBatch? {
        var array = ArrowArray()
        // '!' is fine: a stream without it is refused
        let status = stream.pointee.get_next!(stream, &array)
        guard status == 0 else {
            let release = array.release
            release?(&array)
            throw Self.failure(stream, status, caller, isQuery)
        }
        guard array.release != nil else { return nil }
        return try ADBCBatch(ADBCArrayOwner(moving: &array), fields)
    }

    /// All rows as JSON arrays of their values, at most so many.
    func rows(limit: Int) throws -> [JSONValue] {
        var rows: [JSONValue] = []
        while rows.count < limit, let batch = try next() {
            for row in 0..<min(batch.rowCount, limit - rows.count) { rows.append(try batch.json(row)) }
        }
        return rows
    }
}

/// Rows of a driver's result that were checked.
struct ADBCBatch {
    let rowCount: Int
    private let owner: ADBCArrayOwner
    private let columns: [ADBCArray]

    /// - Throws: ``PluginError`` `.badData`.
    init(_ owner: ADBCArrayOwner, _ fields: [ADBCField]) throws {
        self.owner = owner
        let root = ADBCArray(
            array: owner.array, field: ADBCField(name: "", type: .structure(fields)))
        let count = owner.array.length
        guard (0...ADBCArray.maximumRows).contains(count) else {
            throw ADBCFault.array("", "a batch of \(count) rows")
        }
        rowCount = Int(count)
        try root.check(rows: rowCount)
        guard (0..<rowCount).allSatisfy({ owner.array.null_count == 0 || !root.isNull($0) }) else {
            throw ADBCFault.array("", "a row that is null as a whole")
        }
        // Only what has rows was checked.
        columns = rowCount == 0 ? [] : fields.enumerated().map { root.child($0, $1, start: root.base) }
    }

    /// The columns of a frame, and how many values were lost, by place.
    func frame() -> (columns: [Column], lost: [Int]) {
        var made: [Column] = []
        var lost: [Int] = []
        for column in columns {
            var column = ADBCColumn(column, rows: rowCount, owner: owner)
            made.append(column.make())
            lost.append(column.lost)
        }
        return (made, lost)
    }

    /// A row as a JSON array of its values.
    func json(_ row: Int) throws -> JSONValue {
        var writer = ByteWriter()
        writer.append(UInt8(ascii: "["))
        for (index, column) in columns.enumerated() {
            if index > 0 { writer.append(UInt8(ascii: ",")) }
            column.writeJSON(row, into: &writer)
        }
        writer.append(UInt8(ascii: "]"))
        return try JSONValue(parsing: writer.finish())
    }
}
