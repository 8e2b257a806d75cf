// SPDX-License-Identifier: Apache-2.0

/// A failure to read, write or understand keys, trust stores and signed files.
///
/// The judgement of a plugin is no error but a ``SignatureVerdict``.
public struct SigningError: Error, Sendable {
    /// The class of failure; tests and programs compare it.
    public var code: Code
    /// Subject, fact and remedy, for a person; holds no secret.
    public var message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// A stable class of failure.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The kebab-case name that programs and documents use.
        public var rawValue: String

        /// Creates a code from its kebab-case name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }
    }
}

extension SigningError.Code {
    /// A file or folder cannot be read or written.
    public static let fileUnreadable = Self(rawValue: "file-unreadable")
    /// A file is larger than any real one of its kind.
    public static let fileTooLarge = Self(rawValue: "file-too-large")
    /// A file cannot be written.
    public static let fileUnwritable = Self(rawValue: "file-unwritable")
    /// A symbolic link of the plugin leads out of its folder or to nothing.
    public static let linkOutside = Self(rawValue: "link-outside")
    /// A file of the plugin is a device, a pipe or a socket.
    public static let fileSpecial = Self(rawValue: "file-special")
    /// The bytes are not one OpenPGP key.
    public static let keyMalformed = Self(rawValue: "key-malformed")
    /// The key is too weak, revoked by its owner, or not for signing.
    public static let keyUnusable = Self(rawValue: "key-unusable")
    /// The passphrase does not open the secret key.
    public static let passphraseWrong = Self(rawValue: "passphrase-wrong")
    /// The trust folder breaks a rule of its format.
    public static let trustStoreMalformed = Self(rawValue: "trust-store-malformed")
    /// Another program is changing the trust folder.
    public static let trustFolderBusy = Self(rawValue: "trust-folder-busy")
    /// A signed statement (revocations, rotation, index) is malformed or its signature does not verify.
    public static let statementInvalid = Self(rawValue: "statement-invalid")
    /// A signed statement is signed by a key that may not make it.
    public static let statementUntrusted = Self(rawValue: "statement-untrusted")
    /// The revocation list is older than one that was seen before, or is gone.
    public static let revocationsRolledBack = Self(rawValue: "revocations-rolled-back")
    /// The OpenPGP library failed.
    public static let openPGPFailure = Self(rawValue: "openpgp-failure")
    /// The plugin folder cannot be signed as it is.
    public static let contentUnsignable = Self(rawValue: "content-unsignable")
}

extension SigningError: CustomStringConvertible {
    /// The code and the message.
    public var description: String { "\(code.rawValue): \(message)" }
}
