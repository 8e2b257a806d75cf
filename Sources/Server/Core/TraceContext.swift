// SPDX-License-Identifier: Apache-2.0

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
        spanID = Self.hex(UInt64.random(in: 1 ... .max))
        if let traceParent, let (traceID, flags) = Self.parse(traceParent) {
            self.traceID = traceID
            isSampled = flags & 1 == 1
            isContinued = true
        } else {
            traceID = Self.hex(UInt64.random(in: 1 ... .max)) + Self.hex(UInt64.random(in: 0 ... .max))
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
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
