// SPDX-License-Identifier: Apache-2.0

extension ByteWriter {
    /// Appends one byte.
    @inlinable
    public mutating func append(_ byte: UInt8) {
        if length == capacity { grow(1) }
        base[length] = byte
        length &+= 1
    }

    /// Appends bytes from memory.
    @inlinable
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        UnsafeMutableRawPointer(base + length).copyMemory(from: source, byteCount: bytes.count)
        length &+= bytes.count
    }

    /// Appends bytes from memory.
    @inlinable
    public mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        append(UnsafeRawBufferPointer(bytes))
    }

    /// Appends the bytes of an array.
    @inlinable
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends the bytes of a part of an array.
    @inlinable
    public mutating func append(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { append($0) }
    }

    /// Appends text as UTF-8, as it is: see ``append(jsonString:)-(String)`` for a JSON string.
    @inlinable
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    /// Appends text known at compile time: the fastest way to write punctuation and keys.
    @inlinable
    public mutating func append(literal text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends the same byte several times.
    @inlinable
    public mutating func append(_ byte: UInt8, count: Int) {
        reserve(count)
        (base + length).update(repeating: byte, count: count)
        length &+= count
    }

    /// Appends zero bytes until the count is a multiple of `alignment`.
    @inlinable
    public mutating func align(to alignment: Int) {
        let rest = length % alignment
        if rest != 0 { append(0, count: alignment - rest) }
    }

    /// Appends the bytes of an integer or a float, in the machine's order (little-endian on all machines we run on).
    @inlinable
    public mutating func append<T: BitwiseCopyable>(raw value: T) {
        reserve(MemoryLayout<T>.size)
        UnsafeMutableRawPointer(base + length).storeBytes(of: value, as: T.self)
        length &+= MemoryLayout<T>.size
    }

    /// Replaces bytes that were written before, such as a length that is known only at the end.
    ///
    /// - Precondition: The bytes lie within what is written.
    @inlinable
    public mutating func overwrite<T: BitwiseCopyable>(at offset: Int, raw value: T) {
        precondition(offset >= 0 && offset <= length - MemoryLayout<T>.size, "overwriting beyond the end")
        UnsafeMutableRawPointer(base + offset).storeBytes(of: value, as: T.self)
    }

    /// Appends an integer of at most 64 bits in decimal.
    @inlinable
    public mutating func append<I: FixedWidthInteger>(decimal value: I) {
        appendDecimal(magnitude: UInt64(truncatingIfNeeded: value.magnitude), isNegative: value < 0)
    }

    /// Appends the shortest decimal text that reads back as the same number; see ``FloatText``.
    ///
    /// NaN and the infinities, which JSON cannot say, become `NaN`, `+Inf` and `-Inf`.
    public mutating func append(decimal value: Double) {
        append(room: FloatText.maximumCount) { FloatText.write(value, to: $0) }
    }

    /// Appends the shortest decimal text that reads back as the same 32-bit number.
    public mutating func append(decimal value: Float) {
        append(room: FloatText.maximumCount) { FloatText.write(value, to: $0) }
    }

    @usableFromInline
    mutating func appendDecimal(magnitude: UInt64, isNegative: Bool) {
        reserve(24)
        var position = base + length
        position.pointee = 0x2D
        position += isNegative ? 1 : 0
        let digits = DecimalDigits.count(magnitude)
        DecimalDigits.write(magnitude, count: digits, to: position)
        length = position + digits - base
    }
}
