// SPDX-License-Identifier: Apache-2.0

/// The buffers of a column that is being built.
public struct ColumnStorage: Sendable {
    @usableFromInline var values: GrowableBuffer
    @usableFromInline var offsets: GrowableBuffer
    /// Made with the first null.
    @usableFromInline var validity: GrowableBuffer?
    @usableFromInline var count = 0
    @usableFromInline var nullCount = 0

    @usableFromInline
    init(type: FieldType, capacity: Int) {
        let width = type == .bool ? 1 : type.byteWidth
        values = GrowableBuffer(capacity: type == .bool ? (capacity + 7) / 8 : capacity * width)
        offsets = GrowableBuffer(capacity: type.isText ? (capacity + 1) * 4 : 0)
        if type.isText {
            offsets.append(Int32(0))
        }
    }

    @inlinable
    mutating func appendText(_ bytes: UnsafeBufferPointer<UInt8>) {
        values.append(bytes)
        precondition(values.byteCount <= Int32.max, "a text column holds at most 2 GiB; split it into several frames")
        offsets.append(Int32(truncatingIfNeeded: values.byteCount))
    }

    @inlinable @inline(__always)
    mutating func countValue() {
        if validity != nil {
            validity?.appendBit(true, at: count)
        }
        count &+= 1
    }

    @usableFromInline
    mutating func countNull() {
        if validity == nil {
            var bits = GrowableBuffer(capacity: count / 8 + 64)
            for _ in 0..<(count >> 3) { bits.append(UInt8.max) }
            if count & 7 != 0 { bits.append(UInt8(truncatingIfNeeded: (1 << (count & 7)) - 1)) }
            validity = bits
        }
        validity?.appendBit(false, at: count)
        nullCount &+= 1
        count &+= 1
    }
}

/// Builds one column, value by value.
///
/// A value costs one or two nanoseconds; memory grows by doubling. The builder is a value: a copy goes its own way.
///
/// ```swift
/// var latency = ColumnBuilder<Double>(isNullable: true, capacity: samples.count)
/// for sample in samples { latency.append(sample.seconds) }
/// let field = Field("latency", column: latency.finish())
/// ```
public struct ColumnBuilder<Element: ColumnElement>: Sendable {
    @usableFromInline var storage: ColumnStorage
    /// Whether the column is nullable; a null that comes makes it so.
    public private(set) var isNullable: Bool

    /// An empty builder.
    ///
    /// - Parameter capacity: The number of values to make room for; more may come.
    public init(isNullable: Bool = false, capacity: Int = 0) {
        self.isNullable = isNullable
        storage = ColumnStorage(type: Element.fieldType, capacity: max(0, capacity))
    }

    /// The number of values and nulls so far.
    @inlinable public var count: Int { storage.count }

    /// Appends a value.
    @inlinable
    public mutating func append(_ value: Element) {
        Element.store(value, in: &storage)
        storage.countValue()
    }

    /// Appends a value or, for nil, a null.
    @inlinable
    public mutating func append(_ value: Element?) {
        if let value {
            append(value)
        } else {
            appendNull()
        }
    }

    /// Appends a null; the column is nullable from then on.
    @inlinable
    public mutating func appendNull() {
        Element.storeNull(in: &storage)
        storage.countNull()
    }

    /// Appends values in order.
    @inlinable
    public mutating func append(contentsOf values: some Sequence<Element>) {
        for value in values { append(value) }
    }

    /// The column of all values so far; the builder is then empty and may be used again.
    public mutating func finish() -> Column {
        let column = Column(
            trusting: storage, type: Element.fieldType, isNullable: isNullable || storage.nullCount > 0)
        storage = ColumnStorage(type: Element.fieldType, capacity: 0)
        return column
    }
}

extension ColumnBuilder where Element == String {
    /// Appends a text by its bytes; they must be UTF-8, bad sequences show as U+FFFD when read.
    @inlinable
    public mutating func appendUTF8(_ bytes: UnsafeBufferPointer<UInt8>) {
        storage.appendText(bytes)
        storage.countValue()
    }
}

extension ColumnBuilder where Element == JSONText {
    /// Appends a JSON value by its bytes, which must be valid JSON.
    @inlinable
    public mutating func appendUTF8(_ bytes: UnsafeBufferPointer<UInt8>) {
        storage.appendText(bytes)
        storage.countValue()
    }
}
