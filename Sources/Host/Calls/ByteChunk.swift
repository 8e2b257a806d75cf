// SPDX-License-Identifier: Apache-2.0
public import NIOCore

/// Bytes that a plugin emitted, with what keeps them alive.
///
/// Safety: the bytes are not written any more, and `owner` frees them on any thread.
public struct ByteChunk: @unchecked Sendable {
    private let start: UnsafeRawPointer?
    /// The length in bytes; 0 when the plugin gave no memory.
    public let count: Int
    private let owner: AnyObject?

    init(start: UnsafeRawPointer?, count: Int, owner: AnyObject?) {
        self.start = start
        self.count = start == nil ? 0 : count
        self.owner = owner
    }

    /// A copy of borrowed bytes.
    init(copying bytes: UnsafeRawBufferPointer) {
        let owner = OwnedBytes(copying: bytes)
        self.init(start: UnsafeRawPointer(owner.memory), count: bytes.count, owner: owner)
    }

    /// Lends the bytes without a copy; the pointer is valid until `body` returns.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(owner) { try body(UnsafeRawBufferPointer(start: start, count: count)) }
    }

    /// A copy that does not keep the plugin's memory alive.
    public var array: [UInt8] { withBytes { Array($0) } }

    /// A copy for NIO.
    public var byteBuffer: ByteBuffer { withBytes { ByteBuffer(bytes: $0) } }
}

/// Safety: `memory` is written in `init` only.
private final class OwnedBytes: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer

    init(copying bytes: UnsafeRawBufferPointer) {
        memory = .allocate(byteCount: max(1, bytes.count), alignment: 16)
        if let source = bytes.baseAddress { memory.copyMemory(from: source, byteCount: bytes.count) }
    }

    deinit { memory.deallocate() }
}
