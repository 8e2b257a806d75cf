// SPDX-License-Identifier: Apache-2.0

/// A failure to read JSON or to decode a value from it.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of the failure.
    public struct Code: Sendable, Hashable {
        /// The stable name.
        public let rawValue: String

        /// The text is not JSON as RFC 8259 defines it.
        public static let malformed = Code(rawValue: "json-malformed")
        /// The text nests deeper than ``JSONValue/maximumDepth``.
        public static let tooDeep = Code(rawValue: "json-too-deep")
        /// The text is longer than the caller allows.
        public static let tooLarge = Code(rawValue: "json-too-large")
        /// A number does not fit.
        public static let outOfRange = Code(rawValue: "json-out-of-range")
        /// A value has another type than the one asked for.
        public static let typeMismatch = Code(rawValue: "json-type-mismatch")
        /// A key that is needed is absent.
        public static let missingKey = Code(rawValue: "json-missing-key")
    }

    /// The class of the failure.
    public var code: Code
    /// The byte where the failure was noticed, from 0; nil for a failure that has no place in a text.
    public var offset: Int?
    /// What is wrong and where, for a person.
    public var message: String

    /// Makes an error.
    public init(_ code: Code, offset: Int? = nil, _ message: String) {
        self.code = code
        self.offset = offset
        self.message = message
    }

    /// The message with the place.
    public var description: String {
        guard let offset else { return message }
        return "\(message) (at byte \(offset))"
    }
}
