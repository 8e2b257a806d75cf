// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import NIOCore
internal import Synchronization

/// Memory that the host owns and a plugin fills or reads.
///
/// Safety: the bytes are written by one side at a time: the plugin until it gives the buffer back, the host afterwards.
final class HostMemory: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let capacity: Int
    private let storage: Unmanaged<AnyObject>?
    private let isSecret: Bool

    init(capacity: Int, isSecret: Bool = false) {
        start = .allocate(byteCount: max(64, capacity), alignment: 64)
        self.capacity = capacity
        storage = nil
        self.isSecret = isSecret
    }

    /// The readable bytes of a NIO buffer, without a copy.
    init(_ buffer: ByteBuffer) {
        var pointer: UnsafeMutableRawPointer?
        var kept: Unmanaged<AnyObject>?
        buffer.withUnsafeReadableBytesWithStorageManagement { bytes, storage in
            pointer = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            kept = storage.retain()
        }
        start = pointer ?? UnsafeMutableRawPointer(bitPattern: 64)!  // '!' is fine; 64 is not 0
        capacity = buffer.readableBytes
        storage = kept
        isSecret = false
    }

    deinit {
        if let storage {
            storage.release()
        } else {
            if isSecret { start.initializeMemory(as: UInt8.self, repeating: 0, count: capacity) }
            start.deallocate()
        }
    }
}

/// The buffers that one plugin holds.
///
/// A token that was given back, or that never was, names nothing.
final class BufferTable: Sendable {
    private struct State {
        var next: UInt64 = 1
        var held: [UInt64: HostMemory] = [:]
    }

    /// All buffers that one plugin may hold at a time.
    private static let maxBytes = 4 << 30
    private let state = Mutex(State())
    private let bytes = Atomic<Int>(0)

    /// What the plugin holds now.
    var heldBytes: Int { bytes.load(ordering: .relaxed) }

    func allocate(_ capacity: UInt64, into out: UnsafeMutablePointer<gf_buffer>) -> gf_status {
        guard capacity <= UInt64(Self.maxBytes) else { return GF_LIMIT }
        return lend(HostMemory(capacity: Int(capacity)), into: out)
    }

    /// Hands memory to the plugin.
    func lend(_ memory: HostMemory, into out: UnsafeMutablePointer<gf_buffer>) -> gf_status {
        let token = state.withLock { state -> UInt64? in
            guard heldBytes + memory.capacity <= Self.maxBytes else { return nil }
            let token = state.next
            state.next += 1
            state.held[token] = memory
            bytes.add(memory.capacity, ordering: .relaxed)
            return token
        }
        guard let token else { return GF_LIMIT }
        out.pointee = gf_buffer(data: memory.start, capacity: UInt64(memory.capacity), token: token)
        return GF_OK
    }

    /// Takes a buffer back and zeroes the plugin's struct.
    func take(_ buffer: UnsafeMutablePointer<gf_buffer>) -> HostMemory? {
        let token = buffer.pointee.token
        buffer.pointee = gf_buffer()
        return state.withLock { state in
            guard let memory = state.held.removeValue(forKey: token) else { return nil }
            bytes.subtract(memory.capacity, ordering: .relaxed)
            return memory
        }
    }
}

extension BufferTable {
    /// Hands a copy of bytes to the plugin.
    func lend(
        copying bytes: some Collection<UInt8>, isSecret: Bool = false, into out: UnsafeMutablePointer<gf_buffer>?,
        length: UnsafeMutablePointer<UInt64>?
    ) -> gf_status {
        guard let out else { return GF_STATE }
        let memory = HostMemory(capacity: bytes.count, isSecret: isSecret)
        UnsafeMutableRawBufferPointer(start: memory.start, count: bytes.count).copyBytes(from: bytes)
        length?.pointee = UInt64(bytes.count)
        return lend(memory, into: out)
    }
}
