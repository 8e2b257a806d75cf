// SPDX-License-Identifier: Apache-2.0

/// The verdict on a plugin's signature; raw values are those of Grafana's API.
public enum SignatureStatus: String, Sendable, Hashable {
    /// MANIFEST.txt is signed by a trusted key and every file agrees with it.
    case valid
    /// There is no MANIFEST.txt.
    case unsigned
    /// A file differs from MANIFEST.txt, is missing or was added.
    case modified
    /// MANIFEST.txt is malformed, or its signature does not verify.
    case invalid
    /// The plugin is part of the server.
    case `internal`
}

/// Who signed a plugin; raw values are those of MANIFEST.txt.
public enum SignatureType: String, Sendable, Hashable {
    case grafana, commercial, community
    case privatePlugin = "private"
    case privateGlob = "private-glob"
}

/// A signature status with the reason for it.
public struct PluginSignature: Sendable, Equatable {
    /// The verdict.
    public var status: SignatureStatus
    /// Set when the status is `valid`.
    public var type: SignatureType?
    /// The display name of the signer; empty unless the status is `valid`.
    public var organization: String
    /// Why the status is what it is, in words for an operator; the refusal repeats them.
    public var reason: String
    /// What to do about a status that is refused; empty: the stage's own words.
    public var remedy: String
    /// False when this build cannot judge the signature, which is another fault than a bad signature.
    public var isVerifiable: Bool

    /// Makes one with the defaults.
    public init(
        _ status: SignatureStatus, type: SignatureType? = nil, organization: String = "", reason: String,
        remedy: String = "", isVerifiable: Bool = true
    ) {
        self.status = status
        self.type = type
        self.organization = organization
        self.reason = reason
        self.remedy = remedy
        self.isVerifiable = isVerifiable
    }
}

/// Judges the signature of one plugin; called on the loader's own thread, so it may read files.
public protocol SignatureVerifier: Sendable {
    /// The verdict on a primary plugin; nested plugins take over their parent's.
    ///
    /// - Parameter plugin: its `files` are the files that MANIFEST.txt must list; `image`, if any, is the sealed copy
    ///   of the library with the digest of ``ContentHasher``: compare that digest and not the file on disk.
    func signature(of plugin: PluginCandidate) -> PluginSignature

    /// A hasher for the library that is read next, or nil when digests are not needed.
    func makeHasher() -> (any ContentHasher)?
}

extension SignatureVerifier {
    /// No digests.
    public func makeHasher() -> (any ContentHasher)? { nil }
}

/// Hashes a library while it is read, so that what was hashed is what is loaded.
public protocol ContentHasher {
    mutating func update(_ bytes: UnsafeRawBufferPointer)
    /// The digest of all bytes so far; called once, after the last update.
    mutating func finalize() -> [UInt8]
}

/// The verifier of a build without the signature module: it tells signed from unsigned and trusts neither.
public struct PresenceVerifier: SignatureVerifier {
    /// Makes one with the defaults.
    public init() {}

    /// `internal` for core, `unsigned` without MANIFEST.txt, else `invalid` and not verifiable.
    public func signature(of plugin: PluginCandidate) -> PluginSignature {
        guard plugin.pluginClass != .core else {
            return PluginSignature(.internal, reason: "it is part of the server")
        }
        guard plugin.files.contains("MANIFEST.txt") else {
            return PluginSignature(.unsigned, reason: "it has no MANIFEST.txt")
        }
        return PluginSignature(
            .invalid, reason: "its MANIFEST.txt cannot be verified by this build of the server",
            remedy: "use a build with signature verification, or remove MANIFEST.txt and allow the plugin as unsigned",
            isVerifiable: false)
    }
}
