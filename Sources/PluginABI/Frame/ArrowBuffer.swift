// SPDX-License-Identifier: Apache-2.0

// Safety: the bytes are never written after the buffer is made, and the owner frees them on any thread.
/// Bytes that lie somewhere and stay as they are: own memory, an imported array, the bytes of an IPC file, an arena.
///
/// A copy shares the bytes and keeps their owner alive.
public struct ArrowBuffer: @unchecked Sendable {
    /// The first byte; nil when there are none.
    public let pointer: UnsafeRawPointer?
    /// The number of bytes from `pointer` on.
    public let byteCount: Int
    /// Keeps the bytes alive; nil for memory that lives for ever.
    @usableFromInline let owner: AnyObject?

    /// Refers to bytes that `owner` keeps alive and unchanged.
    ///
    /// A nil pointer has no bytes.
    public init(pointer: UnsafeRawPointer?, byteCount: Int, owner: AnyObject?) {
        self.pointer = pointer
        self.byteCount = pointer == nil ? 0 : max(0, byteCount)
        self.owner = owner
    }

    /// Copies bytes into own memory, aligned to 64.
    public init(copying bytes: UnsafeRawBufferPointer) {
        let memory = AlignedMemory(capacity: bytes.count)
        if let source = bytes.baseAddress {
            memory.base.copyMemory(from: source, byteCount: bytes.count)
        }
        self.init(pointer: UnsafeRawPointer(memory.base), byteCount: bytes.count, owner: memory)
    }

    /// Copies bytes into own memory, aligned to 64.
    public init(copying bytes: some Sequence<UInt8>) {
        self = Array(bytes).withUnsafeBytes { ArrowBuffer(copying: $0) }
    }

    static let empty = ArrowBuffer(pointer: UnsafeRawPointer(AlignedMemory.empty.base), byteCount: 0, owner: nil)

    /// Valid as long as the buffer.
    @inlinable public var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: pointer, count: byteCount)
    }

    /// A part of the buffer with the same owner; nil when the range is not inside.
    func slice(offset: Int, byteCount: Int) -> ArrowBuffer? {
        guard let pointer, offset >= 0, byteCount >= 0, offset <= self.byteCount,
            byteCount <= self.byteCount - offset
        else {
            return offset == 0 && byteCount == 0 ? self : nil
        }
        return ArrowBuffer(pointer: pointer + offset, byteCount: byteCount, owner: owner)
    }

    /// The buffer itself when its start is a multiple of `alignment`, else a copy that is.
    func aligned(to alignment: Int) -> ArrowBuffer {
        guard let pointer, alignment > 1, Int(bitPattern: pointer) & (alignment - 1) != 0 else { return self }
        return ArrowBuffer(copying: bytes)
    }
}

// Safety: written only through a reference that is known to be the only one.
/// Memory aligned to 64 bytes, as Arrow recommends; freed with the last reference.
@usableFromInline
final class AlignedMemory: @unchecked Sendable {
    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let capacity: Int

    @usableFromInline
    init(capacity: Int) {
        self.capacity = capacity
        base = .allocate(byteCount: max(capacity, 64), alignment: 64)
        if capacity == 0 { base.initializeMemory(as: UInt8.self, repeating: 0, count: 64) }
    }

    deinit {
        base.deallocate()
    }

    /// Shared by all that hold nothing yet; with a capacity of 0 it is never written.
    @usableFromInline static let empty = AlignedMemory(capacity: 0)
}

/// Own memory that grows by doubling; a copy shares it until one of the two writes.
@usableFromInline
struct GrowableBuffer: Sendable {
    @usableFromInline var memory: AlignedMemory
    @usableFromInline var byteCount = 0

    @usableFromInline
    init(capacity: Int = 0) {
        memory = capacity > 0 ? AlignedMemory(capacity: capacity) : .empty
    }

    @inlinable
    mutating func reserve(_ additional: Int) {
        if memory.capacity - byteCount < additional || !isKnownUniquelyReferenced(&memory) {
            reallocate(additional)
        }
    }

    @usableFromInline @inline(never)
    mutating func reallocate(_ additional: Int) {
        let needed = byteCount + additional
        let larger = AlignedMemory(capacity: needed <= memory.capacity ? memory.capacity : max(needed * 2, 256))
        larger.base.copyMemory(from: memory.base, byteCount: byteCount)
        memory = larger
    }

    @inlinable @inline(__always)
    mutating func append<Value: BitwiseCopyable>(_ value: Value) {
        reserve(MemoryLayout<Value>.size)
        memory.base.storeBytes(of: value, toByteOffset: byteCount, as: Value.self)
        byteCount &+= MemoryLayout<Value>.size
    }

    @inlinable
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count)
        (memory.base + byteCount).copyMemory(from: source, byteCount: bytes.count)
        byteCount &+= bytes.count
    }

    @inlinable
    mutating func appendZeros(_ count: Int) {
        reserve(count)
        (memory.base + byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        byteCount &+= count
    }

    /// Appends bit number `index`; all bits before it are there.
    @inlinable
    mutating func appendBit(_ bit: Bool, at index: Int) {
        let value: UInt8 = bit ? 1 : 0
        guard index & 7 != 0 else { return append(value) }
        reserve(0)
        let place = (memory.base + (index >> 3)).assumingMemoryBound(to: UInt8.self)
        place.pointee |= value << UInt8(truncatingIfNeeded: index & 7)
    }

    /// The bytes so far; the next write goes to other memory while the result lives.
    @usableFromInline
    func buffer() -> ArrowBuffer {
        ArrowBuffer(pointer: UnsafeRawPointer(memory.base), byteCount: byteCount, owner: memory)
    }
}
