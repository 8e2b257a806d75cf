// SPDX-License-Identifier: Apache-2.0

/// A clear-signed file as it describes itself, believed by nobody: to look at, never to decide with.
public struct UnverifiedManifest: Sendable {
    /// A signature below the text.
    public struct Signature: Sendable, Equatable {
        /// The id of the key that is said to have signed, 16 lower-case hexadecimal digits.
        public var keyID: String
        /// Such as `EDDSA`.
        public var algorithm: String
        /// Such as `SHA512`.
        public var hash: String
        /// Seconds since 1970.
        public var createdAt: Int64
    }

    /// The signed text, with CRLF line ends.
    public let text: [UInt8]
    /// The text as a manifest; nil when it is another kind of text.
    public let manifest: Manifest?
    /// Why it is no manifest; nil when it is one.
    public let fault: String?
    /// Every signature below the text.
    public let signatures: [Signature]

    /// Reads a file.
    ///
    /// - Throws: ``SigningError`` `.statementInvalid` when it is no clear-signed text.
    public init(parsing bytes: [UInt8]) throws(SigningError) {
        let signed: ClearSignedText
        do throws(FormatError) {
            signed = try ClearSignedText(parsing: bytes)
        } catch {
            throw SigningError(.statementInvalid, "it is no clear-signed text: \(error.message); name another file")
        }
        text = signed.text
        do throws(ManifestFault) {
            manifest = try Manifest(parsing: signed.text)
            fault = nil
        } catch {
            manifest = nil
            fault = error.message
        }
        signatures = try SignatureCheck.facts(of: signed.signature).map {
            Signature(keyID: $0.keyID, algorithm: $0.algorithm, hash: $0.hash, createdAt: $0.createdAt)
        }
    }
}
