// SPDX-License-Identifier: Apache-2.0
public import CPluginABI

extension DataFrame {
    /// Takes over a frame by the Arrow C Data Interface: the columns refer to the buffers of the array.
    ///
    /// Both structs are moved, also when it fails: their `release` is NULL afterwards. The array is released with the last
    /// column that refers to it, on any thread. A frame without an array has no rows.
    ///
    /// - Throws: ``FrameError`` `.invalidArrow`, `.unsupportedType`, `.invalidMetadata`.
    /// - Complexity: O(fields) with basic validation and no nulls, else O(rows).
    public init(
        importing schema: UnsafeMutablePointer<ArrowSchema>, array: UnsafeMutablePointer<ArrowArray>?,
        validation: FrameValidation = .full
    ) throws(FrameError) {
        let owner = array.map { ImportedArray(moving: $0) }
        let schema = try FrameSchema(importing: schema)
        self =
            try owner.map { owner throws(FrameError) in try owner.frame(of: schema, validation) } ?? schema.emptyFrame
    }
}

extension FrameSchema {
    /// Reads the schema of a frame and releases it, also when it fails.
    ///
    /// - Throws: ``FrameError`` `.invalidArrow`, `.unsupportedType`, `.invalidMetadata`.
    public init(importing schema: UnsafeMutablePointer<ArrowSchema>) throws(FrameError) {
        let owned = ImportedSchema(moving: schema)
        try self.init(reading: owned)
    }

    /// Makes a frame of a batch of rows, whose buffers it refers to; the array is moved, also when it fails.
    ///
    /// - Parameter owner: kept alive until the array has been released.
    /// - Throws: ``FrameError`` `.invalidArrow`.
    public func frame(
        batch: UnsafeMutablePointer<ArrowArray>, validation: FrameValidation = .full,
        keeping owner: (any AnyObject & Sendable)? = nil
    ) throws(FrameError) -> DataFrame {
        try ImportedArray(moving: batch, keeping: owner).frame(of: self, validation)
    }

    private init(reading owned: ImportedSchema) throws(FrameError) {
        let root = owned.schema
        guard root.release != nil, let format = root.format else {
            throw FrameError(.invalidArrow, "the schema was released before; every struct is passed on once")
        }
        guard String(cString: format) == "+s" else {
            throw FrameError(
                .invalidArrow, "a frame is a struct (+s) with one child a field, not '\(String(cString: format))'")
        }
        let count = Int(root.n_children)
        guard count >= 0, count <= ArrowLimits.fields, count == 0 || root.children != nil else {
            throw FrameError(.invalidArrow, "a schema with \(count) children")
        }
        var fields: [Field] = []
        for index in 0..<count {
            guard let child = root.children?[index]?.pointee, child.release != nil else {
                throw FrameError(.invalidArrow, "field \(index) of the schema is missing or was released before")
            }
            fields.append(try Field(importing: child))
        }
        try self.init(metadata: ArrowMetadata(blob: root.metadata), fields: fields)
    }
}

extension FrameSchema.Field {
    fileprivate init(importing schema: ArrowSchema) throws(FrameError) {
        let name = schema.name.map { String(cString: $0) } ?? ""
        guard let format = schema.format.map({ String(cString: $0) }) else {
            throw FrameError(.invalidArrow, "field '\(name)' has no format")
        }
        let metadata = try ArrowMetadata(blob: schema.metadata)
        guard schema.dictionary == nil, let type = ArrowType(format: format, isEnum: metadata.isEnum) else {
            throw ArrowType.unsupported("'\(format)'\(schema.dictionary == nil ? "" : " dictionary")", field: name)
        }
        try self.init(
            name: name, arrow: type, isNullable: schema.flags & Int64(ARROW_FLAG_NULLABLE) != 0, metadata: metadata)
    }
}

/// Bounds on what is believed of Arrow input.
enum ArrowLimits {
    /// No panel shows so many columns, and each costs memory before its rows do.
    static let fields = 100_000
    /// Pairs of one schema or field; the SDK writes three.
    static let metadataPairs = 10_000
    /// Bytes of one key or value: meta with a long query string has thousands.
    static let metadataBytes = 256 << 20
}

extension ArrowMetadata {
    /// Reads the form of the C Data Interface: the number of pairs, then each key and value after its length.
    init(blob: UnsafePointer<CChar>?) throws(FrameError) {
        self.init()
        guard var place = blob.map({ UnsafeRawPointer($0) }) else { return }
        func number(upTo limit: Int) throws(FrameError) -> Int {
            let value = Int(place.loadUnaligned(as: Int32.self))
            guard value >= 0, value <= limit else {
                throw FrameError(.invalidArrow, "metadata with a count or length of \(value)")
            }
            place += 4
            return value
        }
        func text() throws(FrameError) -> String {
            let length = try number(upTo: ArrowLimits.metadataBytes)
            defer { place += length }
            return String(decoding: UnsafeRawBufferPointer(start: place, count: length), as: UTF8.self)
        }
        for _ in 0..<(try number(upTo: ArrowLimits.metadataPairs)) {
            let key = try text()
            pairs.append((key: key, value: try text()))
        }
    }
}

/// Owns a schema that was moved here and releases it.
private final class ImportedSchema {
    var schema: ArrowSchema

    init(moving source: UnsafeMutablePointer<ArrowSchema>) {
        schema = source.pointee
        source.pointee.release = nil
    }

    deinit {
        schema.release?(&schema)
    }
}

// Safety: the buffers of an array do not change, and its release may be called on any thread.
/// Owns an array that was moved here and releases it with the last buffer that refers to it.
private final class ImportedArray: @unchecked Sendable {
    private var array: ArrowArray
    /// Freed after `deinit` has released the array.
    private let owner: (any AnyObject & Sendable)?

    init(moving source: UnsafeMutablePointer<ArrowArray>, keeping owner: (any AnyObject & Sendable)? = nil) {
        array = source.pointee
        source.pointee.release = nil
        self.owner = owner
    }

    deinit {
        array.release?(&array)
    }

    func frame(of schema: FrameSchema, _ validation: FrameValidation) throws(FrameError) -> DataFrame {
        guard array.release != nil else {
            throw FrameError(.invalidArrow, "the array was released before; every struct is passed on once")
        }
        guard array.n_children == schema.fields.count, schema.fields.isEmpty || array.children != nil else {
            throw FrameError(
                .invalidArrow,
                "a batch of \(array.n_children) columns for a frame of \(schema.fields.count) fields; they have to match"
            )
        }
        let limit = Int64(ColumnParts.maximumRows)
        guard (0...limit).contains(array.length), (0...limit).contains(array.offset) else {
            throw FrameError(.invalidArrow, "a batch of length \(array.length) at offset \(array.offset)")
        }
        try checkNoNullRows()
        var columns: [Column] = []
        columns.reserveCapacity(schema.fields.count)
        for (index, field) in schema.fields.enumerated() {
            columns.append(try column(index, field, validation))
        }
        return schema.frame(columns: columns)
    }

    /// A row of a struct array may be null as a whole, a row of a frame may not.
    private func checkNoNullRows() throws(FrameError) {
        guard array.null_count != 0, array.n_buffers > 0, let bits = array.buffers?[0] else { return }
        let start = Int(array.offset)
        let rows = Int(array.length)
        guard countOnes(bits, from: start, to: start + rows) == rows else {
            throw FrameError(.invalidArrow, "a batch with null rows; only values of fields can be null")
        }
    }

    private func column(
        _ index: Int, _ field: FrameSchema.Field, _ validation: FrameValidation
    ) throws(FrameError) -> Column {
        guard let child = array.children?[index]?.pointee, child.release != nil else {
            throw FrameError(.invalidArrow, "column \(index) of the batch is missing or was released before")
        }
        let limit = Int64(ColumnParts.maximumRows)
        guard (0...limit).contains(child.length), (0...limit).contains(child.offset),
            child.length >= array.offset + array.length, child.dictionary == nil
        else {
            throw FrameError(
                .invalidArrow,
                "field '\(field.name)': length \(child.length) at offset \(child.offset) in a batch of "
                    + "\(array.length) rows at \(array.offset)")
        }
        let isWhole = child.length == array.length
        let parts = ArrowArrayParts(
            count: Int(array.length), offset: Int(child.offset + array.offset),
            nullCount: child.null_count == 0 || (isWhole && child.null_count > 0) ? Int(child.null_count) : nil,
            buffers: try buffers(of: child, field, end: Int(child.offset + array.offset + array.length)))
        var textLeft = Int.max
        return try parts.column(of: field, validation: validation, textLeft: &textLeft)
    }

    /// The buffers of a child, whose sizes follow from its rows, offsets and views.
    private func buffers(
        of child: ArrowArray, _ field: FrameSchema.Field, end: Int
    ) throws(FrameError) -> [ArrowBuffer] {
        let isView = field.layout == .textView
        let needed = isView ? 3 : field.type.isText ? 3 : 2
        guard child.n_buffers >= needed, child.n_buffers <= 1 << 20, let raw = child.buffers else {
            throw FrameError(.invalidArrow, "field '\(field.name)' has \(child.n_buffers) buffers and needs \(needed)")
        }
        func buffer(_ index: Int, _ byteCount: Int) -> ArrowBuffer {
            ArrowBuffer(pointer: raw[index], byteCount: byteCount, owner: self)
        }
        let validity = buffer(0, (end + 7) / 8)
        if isView {
            return [validity, buffer(1, end * 16)] + viewBlocks(of: child, raw: raw)
        }
        guard field.type.isText else {
            return [validity, buffer(1, field.type == .bool ? (end + 7) / 8 : end * field.type.byteWidth)]
        }
        let width = field.layout == .largeText ? 8 : 4
        let offsets = buffer(1, (end + 1) * width)
        guard end > 0, offsets.pointer != nil else { return [validity, offsets, buffer(2, 0)] }
        let last =
            width == 8
            ? Int(offsets.bytes.loadUnaligned(fromByteOffset: end * 8, as: Int64.self))
            : Int(offsets.bytes.loadUnaligned(fromByteOffset: end * 4, as: Int32.self))
        return [validity, offsets, buffer(2, last)]
    }

    /// The data blocks of text views; the last buffer holds their sizes.
    private func viewBlocks(
        of child: ArrowArray, raw: UnsafeMutablePointer<UnsafeRawPointer?>
    ) -> [ArrowBuffer] {
        let count = Int(child.n_buffers) - 3
        guard let sizes = raw[Int(child.n_buffers) - 1] else { return [] }
        return (0..<count).map { index in
            let size = sizes.loadUnaligned(fromByteOffset: index * 8, as: Int64.self)
            return ArrowBuffer(pointer: raw[2 + index], byteCount: Int(size), owner: self)
        }
    }
}
