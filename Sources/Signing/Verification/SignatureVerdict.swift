// SPDX-License-Identifier: Apache-2.0

/// The judgement of a plugin's signature, with its reason.
public struct SignatureVerdict: Sendable, Equatable {
    /// The class of verdict; raw values are those of Grafana's API.
    public enum Status: String, Sendable, Hashable, CaseIterable {
        /// MANIFEST.txt is signed by a trusted key and every file agrees with it.
        case valid
        /// MANIFEST.txt is malformed, its signature does not verify, or its key may not sign this plugin.
        case invalid
        /// A file differs from MANIFEST.txt, is missing or was added.
        case modified
        /// There is no MANIFEST.txt.
        case unsigned
    }

    /// A file that is not as the manifest says.
    public struct Difference: Sendable, Equatable {
        /// Relative to the plugin's folder.
        public var path: String
        /// What the manifest lists; nil for a file that it does not list.
        public var expected: FileDigest?
        /// What is there; nil for a file that is missing or unreadable.
        public var found: FileDigest?

        /// Makes a difference.
        public init(path: String, expected: FileDigest?, found: FileDigest?) {
            self.path = path
            self.expected = expected
            self.found = found
        }
    }

    /// The key that signed.
    public struct Signer: Sendable, Equatable {
        /// 40 upper-case hexadecimal digits.
        public var fingerprint: String
        /// The id as manifests name it: 16 lower-case hexadecimal digits.
        public var keyID: String
        /// The user id of the key.
        public var owner: String
        /// What grants the trust, such as `the built-in key of Grafana` or the policy file of the key.
        public var grantedBy: String
    }

    /// The class of verdict.
    public var status: Status
    /// The exact reason; stable.
    public var code: Code
    /// The fact, for a person, without the plugin's name.
    public var reason: String
    /// What to do about it; empty when the status is `valid`.
    public var remedy: String
    /// The first file that differs, by the bytes of its path.
    public var difference: Difference?
    /// How many files differ, are missing or were added.
    public var differenceCount = 0
    /// The key, as soon as it is known to the trust store.
    public var signer: Signer?
    /// The most that the key's trust allows; nil unless the status is `valid`.
    public var level: TrustLevel?
    /// Patterns of the plugin ids that the key may sign; nil unless the status is `valid`.
    public var grantedPlugins: [String]?
    /// The manifest, as soon as it could be read; trust its content only when the status is `valid`.
    public var manifest: Manifest?
    /// When the signature was made, seconds since 1970; nil until it is known to be good.
    public var signedAt: Int64?

    /// Makes a verdict.
    public init(_ status: Status, _ code: Code, reason: String, remedy: String = "") {
        self.status = status
        self.code = code
        self.reason = reason
        self.remedy = remedy
    }

    /// The type to show; nil unless the status is `valid`, as in Grafana.
    public var type: Manifest.SignatureType? { status == .valid ? manifest?.signatureType : nil }
    /// The display name of the signer to show; empty unless the status is `valid`.
    public var organization: String { status == .valid ? manifest?.organizationName ?? "" : "" }
}

extension SignatureVerdict {
    /// The verdict for a plugin that comes with the one that was judged: nested in its folder, or under another name.
    ///
    /// - Parameter ids: Its id and its other names; the key has to be trusted for each.
    public func narrowed(to ids: [String]) -> SignatureVerdict {
        guard status == .valid, let granted = grantedPlugins,
            let id = ids.first(where: { id in !granted.contains { Glob($0)?.matches(id) == true } })
        else { return self }
        var refused = SignatureVerdict(
            .invalid, .keyNotForPlugin,
            reason:
                "the key \(signer?.keyID ?? "") of \(signer?.owner ?? "") may not sign the plugin '\(id)', which comes "
                + "with '\(manifest?.plugin ?? "")'",
            remedy: "if it should, add the id to \"plugins\" in \(signer?.grantedBy ?? "its policy")")
        (refused.signer, refused.manifest, refused.signedAt) = (signer, manifest, signedAt)
        return refused
    }

    /// The exact reason of a verdict.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// The kebab-case name that programs and documents use.
        public var rawValue: String

        /// Creates a code from its kebab-case name.
        public init(rawValue: String) {
            self.rawValue = rawValue
        }
    }
}

extension SignatureVerdict.Code {
    /// All is well.
    public static let valid = Self(rawValue: "valid")
    /// There is no MANIFEST.txt, or it cannot be read.
    public static let noManifest = Self(rawValue: "no-manifest")
    /// The plugin has no files at all.
    public static let noFiles = Self(rawValue: "no-files")
    /// MANIFEST.txt is no clear-signed text.
    public static let manifestMalformed = Self(rawValue: "manifest-malformed")
    /// MANIFEST.txt is larger than any real one.
    public static let manifestTooLarge = Self(rawValue: "manifest-too-large")
    /// The signed text is no JSON object.
    public static let manifestNotJSON = Self(rawValue: "manifest-not-json")
    /// A key of the manifest's JSON occurs twice.
    public static let manifestDuplicateKey = Self(rawValue: "manifest-duplicate-key")
    /// A field of the manifest is missing or has a wrong value.
    public static let manifestField = Self(rawValue: "manifest-field")
    /// A path of the manifest is absolute, climbs or is otherwise refused.
    public static let manifestPath = Self(rawValue: "manifest-path")
    /// The manifest has the first version of the format, which nobody accepts any more.
    public static let manifestVersion = Self(rawValue: "manifest-version")
    /// The trust store has no key with the manifest's key id.
    public static let keyUnknown = Self(rawValue: "key-unknown")
    /// The key was revoked, by the revocation list or by its owner.
    public static let keyRevoked = Self(rawValue: "key-revoked")
    /// The key had expired when the signature was made.
    public static let keyExpired = Self(rawValue: "key-expired")
    /// The key may not sign a plugin with this id.
    public static let keyNotForPlugin = Self(rawValue: "key-not-for-plugin")
    /// The key may not grant this signature type.
    public static let keyNotForType = Self(rawValue: "key-not-for-type")
    /// The signature does not match the text.
    public static let signatureBad = Self(rawValue: "signature-bad")
    /// The signature cannot be read, or was made by another key than the manifest says.
    public static let signatureMalformed = Self(rawValue: "signature-malformed")
    /// The signature says that it was made in the future or before its key.
    public static let signatureTime = Self(rawValue: "signature-time")
    /// The signature's own validity has ended.
    public static let signatureExpired = Self(rawValue: "signature-expired")
    /// The signature uses a hash or algorithm that no longer protects.
    public static let algorithmWeak = Self(rawValue: "algorithm-weak")
    /// The plugin is signed for other servers.
    public static let rootURLMismatch = Self(rawValue: "root-url-mismatch")
    /// A root URL of the manifest, or the server's, cannot be read.
    public static let rootURLMalformed = Self(rawValue: "root-url-malformed")
    /// plugin.json has another id than the manifest.
    public static let pluginDiffers = Self(rawValue: "plugin-differs")
    /// plugin.json has another version than the manifest.
    public static let versionDiffers = Self(rawValue: "version-differs")
    /// A listed file is not there.
    public static let fileMissing = Self(rawValue: "file-missing")
    /// A listed file cannot be read.
    public static let fileUnreadable = Self(rawValue: "file-unreadable")
    /// A listed file has another content.
    public static let fileDiffers = Self(rawValue: "file-differs")
    /// A file is there that is not listed.
    public static let fileExtra = Self(rawValue: "file-extra")
    /// A file's content is on the revocation list.
    public static let fileRevoked = Self(rawValue: "file-revoked")
    /// A symbolic link leads out of the plugin's folder or to nothing.
    public static let linkOutside = Self(rawValue: "link-outside")
    /// A file of the plugin is a device, a pipe or a socket.
    public static let fileSpecial = Self(rawValue: "file-special")
}
