// SPDX-License-Identifier: Apache-2.0
import Glibc

// Safety: the memory has exactly one owner, the value, and the value cannot be copied.

/// A growable run of raw bytes that every encoder writes to.
///
/// It owns its memory alone (it cannot be copied), so that an append is a bounds check and a store. Pass it as
/// `inout`, and end with ``finish()``, ``string()`` or ``takeMemory()``.
///
/// ```swift
/// var writer = ByteWriter()
/// writer.append("[")
/// writer.append(decimal: 1.5)
/// writer.append("]")
/// let text = writer.string()  // "[1.5]"
/// ```
public struct ByteWriter: ~Copyable, @unchecked Sendable {
    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    @usableFromInline var capacity: Int
    @usableFromInline var length: Int

    /// Makes an empty writer with room for that many bytes; a wrong guess costs time only.
    public init(capacity: Int = 256) {
        let size = max(capacity, 64)
        self.base = ByteWriter.allocate(nil, size)
        self.capacity = size
        self.length = 0
    }

    deinit {
        free(base)
    }

    /// The number of bytes written.
    @inlinable public var count: Int { length }

    /// Whether nothing has been written.
    @inlinable public var isEmpty: Bool { length == 0 }

    /// Makes room for that many more bytes, so that the following appends do not move the memory.
    @inlinable
    public mutating func reserve(_ additional: Int) {
        if additional > capacity - length { grow(additional) }
    }

    /// Forgets the bytes and keeps the memory.
    public mutating func removeAll() {
        length = 0
    }

    /// Drops bytes at the end, so that `count` are left.
    ///
    /// - Precondition: `0 ≤ count ≤ self.count`.
    public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= length, "truncation beyond the end")
        length = count
    }

    /// Lets a function write straight into the memory after the last byte.
    ///
    /// - Parameters:
    ///   - room: The bytes that the function may write, at least; they hold garbage before.
    ///   - body: Returns the number of bytes that it wrote, from the start of the buffer.
    @inlinable
    public mutating func append(room: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        reserve(room)
        let written = body(base + length)
        precondition(written >= 0 && written <= capacity - length, "written past the room asked for")
        length += written
    }

    /// Calls a function with the bytes written so far; the pointer is valid during the call only.
    @inlinable
    public func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try body(UnsafeBufferPointer(start: base, count: length))
    }

    /// A copy of the bytes.
    public consuming func finish() -> [UInt8] {
        withBytes { Array($0) }
    }

    /// The bytes as text; what is not UTF-8 becomes U+FFFD.
    public func string() -> String {
        withBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Hands over the memory without a copy.
    ///
    /// - Returns: Memory from `malloc` that the caller frees with `free`; its count is the number of bytes written.
    public consuming func takeMemory() -> UnsafeMutableRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer(start: base, count: length)
        discard self
        return memory
    }

    @usableFromInline
    mutating func grow(_ additional: Int) {
        precondition(additional >= 0, "a negative number of bytes")
        let (needed, overflow) = length.addingReportingOverflow(additional)
        precondition(!overflow && needed < Int.max / 2, "more bytes than memory can hold")
        let size = max(needed, capacity * 2)
        base = ByteWriter.allocate(base, size)
        capacity = size
    }

    private static func allocate(_ old: UnsafeMutablePointer<UInt8>?, _ size: Int) -> UnsafeMutablePointer<UInt8> {
        guard let memory = realloc(old, size) else { fatalError("out of memory: \(size) bytes for a ByteWriter") }
        return memory.assumingMemoryBound(to: UInt8.self)
    }
}
