// SPDX-License-Identifier: Apache-2.0
public import CPluginABI

extension DataFrame {
    /// Fills the structs of the Arrow C Data Interface; whoever receives them calls `release` of each.
    ///
    /// Values are not copied: the array keeps the buffers alive. Rows past ``rowCount`` of longer fields are left out.
    public func export(schema: UnsafeMutablePointer<ArrowSchema>, array: UnsafeMutablePointer<ArrowArray>) {
        exportSchema(into: schema)
        exportArray(into: array)
    }

    /// Fills the schema alone: once for many batches.
    public func exportSchema(into schema: UnsafeMutablePointer<ArrowSchema>) {
        FrameSchema(of: self).export(into: schema)
    }

    /// Fills an array with the rows, without a copy.
    ///
    /// - Complexity: O(fields).
    public func exportArray(into array: UnsafeMutablePointer<ArrowArray>) {
        let rows = rowCount
        let export = ExportedArray(columns: fields.map(\.column))
        for index in fields.indices {
            let child = export.children + index
            child.initialize(to: export.structure(of: fields[index].column, rows: rows, index: index))
            export.childPointers[index] = child
        }
        array.initialize(
            to: ArrowArray(
                length: Int64(rows), null_count: 0, offset: 0, n_buffers: 1, n_children: Int64(fields.count),
                buffers: export.buffers, children: export.childPointers, dictionary: nil,
                release: releaseExportedArray, private_data: Unmanaged.passRetained(export).toOpaque()))
    }
}

extension FrameSchema {
    /// Fills a schema struct; whoever receives it calls `release`.
    public func export(into schema: UnsafeMutablePointer<ArrowSchema>) {
        var texts = TextBlock()
        let rootMetadata = texts.append(ArrowMetadata(frame: self).blob)
        let places = fields.map { field in
            (name: texts.append(Array(field.name.utf8) + [0]), metadata: texts.append(ArrowMetadata(field: field).blob))
        }
        let export = ExportedSchema(texts: texts.bytes, fieldCount: fields.count)
        for (index, field) in fields.enumerated() {
            let child = export.children + index
            child.initialize(
                to: ArrowSchema(
                    format: field.type.arrowFormat.cString, name: export.text(at: places[index].name),
                    metadata: export.text(at: places[index].metadata),
                    flags: field.isNullable ? Int64(ARROW_FLAG_NULLABLE) : 0, n_children: 0, children: nil,
                    dictionary: nil, release: releaseExportedSchema,
                    private_data: Unmanaged.passRetained(export).toOpaque()))
            export.childPointers[index] = child
        }
        schema.initialize(
            to: ArrowSchema(
                format: ("+s" as StaticString).cString, name: ("" as StaticString).cString,
                metadata: export.text(at: rootMetadata), flags: 0, n_children: Int64(fields.count),
                children: export.childPointers, dictionary: nil, release: releaseExportedSchema,
                private_data: Unmanaged.passRetained(export).toOpaque()))
    }
}

/// Releases a schema: its children that were not moved away, then its hold on the shared memory.
private func releaseExportedSchema(_ schema: UnsafeMutablePointer<ArrowSchema>?) {
    guard let schema, let data = schema.pointee.private_data else { return }
    for index in 0..<Int(schema.pointee.n_children) {
        guard let child = schema.pointee.children?[index] else { continue }
        child.pointee.release?(child)
    }
    schema.pointee.release = nil
    schema.pointee.private_data = nil
    Unmanaged<ExportedSchema>.fromOpaque(data).release()
}

/// Releases an array: its children that were not moved away, then its hold on the shared memory.
private func releaseExportedArray(_ array: UnsafeMutablePointer<ArrowArray>?) {
    guard let array, let data = array.pointee.private_data else { return }
    for index in 0..<Int(array.pointee.n_children) {
        guard let child = array.pointee.children?[index] else { continue }
        child.pointee.release?(child)
    }
    array.pointee.release = nil
    array.pointee.private_data = nil
    Unmanaged<ExportedArray>.fromOpaque(data).release()
}

/// The memory behind an exported schema; every struct of it holds one reference, so that children may be moved away.
private final class ExportedSchema {
    let children: UnsafeMutablePointer<ArrowSchema>
    let childPointers: UnsafeMutablePointer<UnsafeMutablePointer<ArrowSchema>?>
    private let texts: UnsafeMutablePointer<CChar>

    init(texts bytes: [UInt8], fieldCount: Int) {
        children = .allocate(capacity: max(fieldCount, 1))
        childPointers = .allocate(capacity: max(fieldCount, 1))
        texts = .allocate(capacity: max(bytes.count, 1))
        for (index, byte) in bytes.enumerated() { texts[index] = CChar(bitPattern: byte) }
    }

    deinit {
        children.deallocate()
        childPointers.deallocate()
        texts.deallocate()
    }

    func text(at offset: Int) -> UnsafePointer<CChar> { UnsafePointer(texts + offset) }
}

/// The memory behind an exported array, and the columns whose buffers it points to.
private final class ExportedArray {
    let children: UnsafeMutablePointer<ArrowArray>
    let childPointers: UnsafeMutablePointer<UnsafeMutablePointer<ArrowArray>?>
    /// The buffer of the root (no validity), then three for each column.
    let buffers: UnsafeMutablePointer<UnsafeRawPointer?>
    private let columns: [Column]

    init(columns: [Column]) {
        self.columns = columns
        children = .allocate(capacity: max(columns.count, 1))
        childPointers = .allocate(capacity: max(columns.count, 1))
        buffers = .allocate(capacity: 1 + 3 * columns.count)
        buffers.initialize(repeating: nil, count: 1 + 3 * columns.count)
    }

    deinit {
        children.deallocate()
        childPointers.deallocate()
        buffers.deallocate()
    }

    func structure(of column: Column, rows: Int, index: Int) -> ArrowArray {
        let place = buffers + 1 + 3 * index
        let none = ArrowBuffer.empty.pointer
        place[0] = column.validity?.pointer
        if column.type.isText {
            place[1] = column.offsets?.pointer ?? none
            place[2] = column.values.pointer ?? none
        } else {
            place[1] = column.values.pointer ?? none
        }
        return ArrowArray(
            length: Int64(rows),
            null_count: column.count == rows || column.nullCount == 0 ? Int64(column.nullCount) : -1,
            offset: Int64(column.offset), n_buffers: column.type.isText ? 3 : 2, n_children: 0, buffers: place,
            children: nil, dictionary: nil, release: releaseExportedArray,
            private_data: Unmanaged.passRetained(self).toOpaque())
    }
}

/// Texts that will lie in one block.
private struct TextBlock {
    private(set) var bytes: [UInt8] = []

    /// Appends bytes and returns where they start.
    mutating func append(_ text: [UInt8]) -> Int {
        bytes.append(contentsOf: text)
        return bytes.count - text.count
    }
}

extension ArrowMetadata {
    /// The form of the C Data Interface.
    fileprivate var blob: [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: Int) {
            withUnsafeBytes(of: Int32(truncatingIfNeeded: number)) { bytes.append(contentsOf: $0) }
        }
        append(pairs.count)
        for (key, value) in pairs {
            append(key.utf8.count)
            bytes.append(contentsOf: key.utf8)
            append(value.utf8.count)
            bytes.append(contentsOf: value.utf8)
        }
        return bytes
    }
}

extension StaticString {
    /// A C string that lives for ever.
    fileprivate var cString: UnsafePointer<CChar> {
        UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
