// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The trace that a request belongs to, as W3C Trace Context names it.
struct TraceContext: Sendable, Equatable {
    /// 32 hex digits.
    var traceID: String
    /// 16 hex digits: this server's part of the trace.
    var spanID: String
    /// Whether the caller records the trace.
    var isSampled: Bool
    /// Whether the caller named the trace; else it begins here.
    var isContinued: Bool

    /// Goes on with the trace of a `traceparent` header, or begins one when the header is missing or malformed.
    init(traceParent: String?) {
        spanID = Self.hex(TraceNumbers.next())
        if let traceParent, let (traceID, flags) = Self.parse(traceParent) {
            self.traceID = traceID
            isSampled = flags & 1 == 1
            isContinued = true
        } else {
            traceID = Self.hex(TraceNumbers.next()) + Self.hex(TraceNumbers.next())
            isSampled = false
            isContinued = false
        }
    }

    /// The header for calls that this request makes.
    var traceParent: String { "00-\(traceID)-\(spanID)-0\(isSampled ? 1 : 0)" }

    private static func parse(_ text: String) -> (String, UInt8)? {
        let bytes = Array(text.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            bytes.count == 55 || (bytes[55] == dash && !text.hasPrefix("00")), !text.hasPrefix("ff")
        else { return nil }
        let digits = [0..<2, 3..<35, 36..<52, 53..<55].map { bytes[$0] }
        guard digits.joined().allSatisfy(isLowerHex), digits[1].contains(where: { $0 != 48 }),
            digits[2].contains(where: { $0 != 48 }),
            let flags = UInt8(String(decoding: digits[3], as: UTF8.self), radix: 16)
        else { return nil }
        return (String(decoding: digits[1], as: UTF8.self), flags)
    }

    private static func isLowerHex(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (97...102).contains(byte)
    }

    private static func hex(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { digits in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 15
                digits.initializeElement(at: index, to: digit < 10 ? digit + 48 : digit + 87)
            }
            return 16
        }
    }
}

/// Numbers that differ from each other, and from those of other processes; they are no secret, so one read of the system's
/// randomness is enough for all.
private enum TraceNumbers {
    private static let seed = UInt64.random(in: 0 ... .max)
    private static let count = Atomic<UInt64>(0)

    /// The next number, never 0: SplitMix64 over a counter.
    static func next() -> UInt64 {
        let step = count.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        var number = seed &+ step
        number = (number ^ (number >> 30)) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ (number >> 27)) &* 0x94D0_49BB_1331_11EB
        return max(1, number ^ (number >> 31))
    }
}
