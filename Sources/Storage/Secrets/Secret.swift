// SPDX-License-Identifier: Apache-2.0

/// A text that must not show: descriptions, dumps and interpolations of it say `[redacted]`.
public struct Secret: Sendable {
    /// The text itself.
    ///
    /// Ask for it only where it is used.
    public let clearText: String

    /// Wraps a text.
    public init(_ clearText: String) {
        self.clearText = clearText
    }
}

extension Secret: Equatable {
    /// Compares in a time that depends on the lengths only.
    public static func == (left: Secret, right: Secret) -> Bool {
        isEqualInConstantTime(Array(left.clearText.utf8), Array(right.clearText.utf8))
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Always `[redacted]`.
    public var description: String { "[redacted]" }
    /// Always `[redacted]`.
    public var debugDescription: String { "[redacted]" }
    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Compares bytes in a time that depends on the lengths only.
func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
