// SPDX-License-Identifier: Apache-2.0

/// A failure while reading a frame: from Arrow, from JSON, from raw buffers.
public struct FrameError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of a failure.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// Stable, in kebab case.
        public let rawValue: String

        /// A code by its stable name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The bytes are not an Arrow file, or lengths, offsets or counts in it do not fit together.
        public static let invalidArrow = Code(rawValue: "invalid-arrow")
        /// A field has an Arrow type that frames do not have.
        public static let unsupportedType = Code(rawValue: "unsupported-type")
        /// Fields of one frame have different numbers of rows.
        public static let lengthMismatch = Code(rawValue: "length-mismatch")
        /// The text is not frame JSON.
        public static let invalidJSON = Code(rawValue: "invalid-json")
        /// The metadata of a frame or field is not the JSON that it has to be.
        public static let invalidMetadata = Code(rawValue: "invalid-metadata")
    }

    /// The part that callers compare.
    public var code: Code
    /// What is wrong and what to do about it, for a person.
    public var message: String

    /// A failure of a class, with its text.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The code and the message.
    public var description: String { "\(code.rawValue): \(message)" }
}
