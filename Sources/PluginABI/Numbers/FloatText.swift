// SPDX-License-Identifier: Apache-2.0

/// The shortest decimal text of a floating-point number that reads back as the same number.
///
/// The form is that of Go's JSON encoders: plain decimals from 1e-6 up to 1e21, outside that an exponent of two or
/// more digits: `0.1`, `100`, `-0`, `1e-07`, `1.5e+21`. NaN and the infinities are `NaN`, `+Inf`, `-Inf`.
public enum FloatText {
    /// The room that ``write(_:to:)-(Double,_)`` may use; the text itself is shorter.
    public static let maximumCount = 40

    /// Writes the text and returns its length.
    ///
    /// - Parameter start: Memory of at least ``maximumCount`` bytes; what follows the text is garbage.
    public static func write(_ value: Double, to start: UnsafeMutablePointer<UInt8>) -> Int {
        write(text: value.description, to: start)
    }

    /// Writes the text of a 32-bit number and returns its length.
    public static func write(_ value: Float, to start: UnsafeMutablePointer<UInt8>) -> Int {
        write(text: value.description, to: start)
    }

    private static func write(text: String, to start: UnsafeMutablePointer<UInt8>) -> Int {
        var count = 0
        for byte in text.utf8.prefix(maximumCount) {
            start[count] = byte
            count += 1
        }
        return count
    }
}
