// SPDX-License-Identifier: Apache-2.0

/// A Swift type that is the item of a column: numbers, `Bool`, `String`, ``Timestamp``, ``JSONText``, ``EnumIndex``.
///
/// The conformances here are all there are: the three functions are how a value goes into Arrow buffers and back.
public protocol ColumnElement: Sendable, Equatable {
    /// The field type of a column of these.
    static var fieldType: FieldType { get }
    /// Appends a value to the buffers of a builder.
    static func store(_ value: Self, in storage: inout ColumnStorage)
    /// Appends what stands in the place of a null.
    static func storeNull(in storage: inout ColumnStorage)
    /// Reads a value that is not null; the column has the field type of `Self`.
    static func load(from column: borrowing Column, at index: Int) -> Self
}

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct Timestamp: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Since the epoch; negative before it.
    public var nanoseconds: Int64

    /// The point so many nanoseconds after the epoch.
    @inlinable public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The point so many milliseconds after the epoch.
    ///
    /// Values out of range become the nearest that is not: 1677-09-21 or 2262-04-11.
    @inlinable public init(milliseconds: Int64) {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        nanoseconds = overflow ? (milliseconds < 0 ? .min : .max) : product
    }

    /// The point so many seconds after the epoch, rounded to whole nanoseconds.
    ///
    /// Values out of range become the nearest that is not, NaN becomes 0.
    ///
    /// Whole seconds and the rest are scaled apart, so that `1700000000.123` keeps its milliseconds.
    @inlinable public init(seconds: Double) {
        guard seconds == seconds else {
            nanoseconds = 0
            return
        }
        guard seconds > -9_223_372_036, seconds < 9_223_372_036 else {
            nanoseconds = seconds < 0 ? .min : .max
            return
        }
        let whole = Int64(seconds)
        let rest = (seconds - Double(whole)) * 1e9
        let half = rest < 0 ? -0.5 : 0.5
        // A Double of today's size has a step of 0.24 µs: round to whole microseconds there, as its text would.
        let isCoarse = seconds.ulp * 1e9 > 1
        let rounded = isCoarse ? Int64(rest / 1000 + half) * 1000 : Int64(rest + half)
        nanoseconds = whole * 1_000_000_000 + rounded
    }

    /// Milliseconds, rounded towards the past.
    @inlinable public var milliseconds: Int64 { Self.split(nanoseconds).milliseconds }

    /// Whether the left is earlier.
    @inlinable public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Whole milliseconds, rounded towards the past, and the nanoseconds that are left (0 … 999999).
    @inlinable static func split(_ nanoseconds: Int64) -> (milliseconds: Int64, rest: Int64) {
        var (milliseconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
        if rest < 0 {
            milliseconds -= 1
            rest += 1_000_000
        }
        return (milliseconds, rest)
    }
}

/// A JSON value as its text, which is passed on byte for byte.
public struct JSONText: Hashable, Sendable {
    /// Valid JSON in UTF-8.
    public var text: String

    /// Takes a text that is valid JSON; it is not checked.
    @inlinable public init(_ text: String) {
        self.text = text
    }
}

/// The place of a value in the texts of an enum field (`FieldConfig.enumTexts`).
public struct EnumIndex: Hashable, Sendable, BitwiseCopyable {
    /// From 0.
    public var value: UInt16

    /// The place `value`, from 0.
    @inlinable public init(_ value: UInt16) {
        self.value = value
    }
}

// MARK: - Conformances

/// Elements that lie in the buffer as they are in memory.
public protocol FixedWidthElement: ColumnElement, BitwiseCopyable {}

extension FixedWidthElement {
    /// Appends a value to the buffers.
    @inlinable public static func store(_ value: Self, in storage: inout ColumnStorage) {
        storage.values.append(value)
    }

    /// Appends a place holder to the buffers.
    @inlinable public static func storeNull(in storage: inout ColumnStorage) {
        storage.values.appendZeros(MemoryLayout<Self>.size)
    }

    /// Reads a value that is not null.
    @inlinable public static func load(from column: borrowing Column, at index: Int) -> Self {
        column.loadFixed(at: index)
    }
}

extension Int8: FixedWidthElement {
    /// A column of these has type `int8`.
    @inlinable public static var fieldType: FieldType { .int8 }
}

extension Int16: FixedWidthElement {
    /// A column of these has type `int16`.
    @inlinable public static var fieldType: FieldType { .int16 }
}

extension Int32: FixedWidthElement {
    /// A column of these has type `int32`.
    @inlinable public static var fieldType: FieldType { .int32 }
}

extension Int64: FixedWidthElement {
    /// A column of these has type `int64`.
    @inlinable public static var fieldType: FieldType { .int64 }
}

extension UInt8: FixedWidthElement {
    /// A column of these has type `uint8`.
    @inlinable public static var fieldType: FieldType { .uint8 }
}

extension UInt16: FixedWidthElement {
    /// A column of these has type `uint16`.
    @inlinable public static var fieldType: FieldType { .uint16 }
}

extension UInt32: FixedWidthElement {
    /// A column of these has type `uint32`.
    @inlinable public static var fieldType: FieldType { .uint32 }
}

extension UInt64: FixedWidthElement {
    /// A column of these has type `uint64`.
    @inlinable public static var fieldType: FieldType { .uint64 }
}

extension Float: FixedWidthElement {
    /// A column of these has type `float32`.
    @inlinable public static var fieldType: FieldType { .float32 }
}

extension Double: FixedWidthElement {
    /// A column of these has type `float64`.
    @inlinable public static var fieldType: FieldType { .float64 }
}

extension Timestamp: FixedWidthElement {
    /// A column of these has type `time`.
    @inlinable public static var fieldType: FieldType { .time }
}

extension EnumIndex: FixedWidthElement {
    /// A column of these has type `enum`.
    @inlinable public static var fieldType: FieldType { .enum }
}

extension Bool: ColumnElement {
    /// A column of these has type `bool`.
    @inlinable public static var fieldType: FieldType { .bool }

    /// Appends a value to the buffers.
    @inlinable public static func store(_ value: Bool, in storage: inout ColumnStorage) {
        storage.values.appendBit(value, at: storage.count)
    }

    /// Appends a place holder to the buffers.
    @inlinable public static func storeNull(in storage: inout ColumnStorage) {
        storage.values.appendBit(false, at: storage.count)
    }

    /// Reads a value that is not null.
    @inlinable public static func load(from column: borrowing Column, at index: Int) -> Bool {
        column.loadBit(at: index)
    }
}

extension String: ColumnElement {
    /// A column of these has type `string`.
    @inlinable public static var fieldType: FieldType { .string }

    /// Appends a value to the buffers.
    @inlinable public static func store(_ value: String, in storage: inout ColumnStorage) {
        var text = value
        text.withUTF8 { storage.appendText($0) }
    }

    /// Appends a place holder to the buffers.
    @inlinable public static func storeNull(in storage: inout ColumnStorage) {
        storage.appendText(UnsafeBufferPointer(start: nil, count: 0))
    }

    /// Reads a value that is not null.
    @inlinable public static func load(from column: borrowing Column, at index: Int) -> String {
        String(decoding: column.textBytes(at: index), as: UTF8.self)
    }
}

extension JSONText: ColumnElement {
    /// A column of these has type `json`.
    @inlinable public static var fieldType: FieldType { .json }

    /// Appends a value to the buffers.
    @inlinable public static func store(_ value: JSONText, in storage: inout ColumnStorage) {
        String.store(value.text, in: &storage)
    }

    /// Appends a place holder to the buffers.
    @inlinable public static func storeNull(in storage: inout ColumnStorage) {
        String.storeNull(in: &storage)
    }

    /// Reads a value that is not null.
    @inlinable public static func load(from column: borrowing Column, at index: Int) -> JSONText {
        JSONText(String.load(from: column, at: index))
    }
}
