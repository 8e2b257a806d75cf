// SPDX-License-Identifier: Apache-2.0
import CZlib
import NIOCore

/// A gzip encoder that takes a body in pieces.
///
/// It has identity, as zlib's state points to itself; one task at a time uses it.
final class GzipStream {
    private var stream = z_stream()
    private var isOpen = false
    /// The encoder's output, in pieces of this size.
    private static let pieceSize = 32 * 1024

    /// - Parameter level: 1 (fast) … 9 (small).
    init(level: Int32 = 5) {
        // 15 window bits, +16 for the gzip wrapper instead of zlib's.
        let status = deflateInit2_(
            &stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)
        )
        isOpen = status == Z_OK
    }

    deinit {
        if isOpen { deflateEnd(&stream) }
    }

    /// The encoded form of a piece, as far as it is ready; with `flush`, of all pieces so far.
    func encode(_ buffer: ByteBuffer, flush: Bool = false) -> ByteBuffer {
        buffer.withUnsafeReadableBytes { run($0, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH) }
    }

    /// The rest of the encoded form with its check sum.
    func finish() -> ByteBuffer {
        run(UnsafeRawBufferPointer(start: nil, count: 0), Z_FINISH)
    }

    private func run(_ input: UnsafeRawBufferPointer, _ mode: Int32) -> ByteBuffer {
        var output = ByteBuffer()
        guard isOpen else { return output }
        // zlib does not write to its input; its field is not const for historical reasons.
        stream.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(input.count)
        repeat {
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.pieceSize) { room in
                let size = min(room.count, Self.pieceSize)
                stream.next_out = room.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(size)
                deflate(&stream, mode)
                return size - Int(stream.avail_out)
            }
        } while stream.avail_out == 0
        stream.next_in = nil
        return output
    }
}
