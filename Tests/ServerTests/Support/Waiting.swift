// SPDX-License-Identifier: Apache-2.0
import CZlib
import Foundation
import TestSupport
import Testing

/// Waits until something that another thread does has happened; fails after 20 s.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
    try await eventually("what another thread does", within: 20, condition)
}

/// Undoes gzip, with zlib's own decoder.
enum Gunzip {
    struct Failure: Error {
        var code: Int32
    }

    static func bytes(_ input: [UInt8]) throws -> [UInt8] {
        var stream = z_stream()
        inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { inflateEnd(&stream) }
        var input = input
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        var code = Z_OK
        input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            while code == Z_OK {
                piece.withUnsafeMutableBufferPointer { room in
                    stream.next_out = room.baseAddress
                    stream.avail_out = UInt32(room.count)
                    code = inflate(&stream, Z_NO_FLUSH)
                }
                output += piece[..<(piece.count - Int(stream.avail_out))]
            }
        }
        guard code == Z_STREAM_END else { throw Failure(code: code) }
        return output
    }
}
