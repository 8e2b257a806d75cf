// SPDX-License-Identifier: Apache-2.0
public import Signing

/// The status of a plugin's signature; raw values are those of Grafana's API.
public enum SignatureStatus: String, Sendable, Hashable {
    /// MANIFEST.txt is signed by a trusted key and every file agrees with it.
    case valid
    /// There is no MANIFEST.txt.
    case unsigned
    /// A file differs from MANIFEST.txt, is missing or was added.
    case modified
    /// MANIFEST.txt is malformed, its signature does not verify, or its key may not sign the plugin.
    case invalid
    /// The plugin is part of the server.
    case `internal`

    init(_ status: SignatureVerdict.Status) {
        self =
            switch status {
            case .valid: .valid
            case .unsigned: .unsigned
            case .modified: .modified
            case .invalid: .invalid
            }
    }
}

/// What is known about a plugin's signature.
public struct PluginSignature: Sendable {
    /// The verdict with its reason, the key, and what grants the trust; nil for a plugin that is part of the server.
    public let verdict: SignatureVerdict?
    /// What was verified, so that it can be judged again when the trust changes; nil unless the status is `valid`.
    let evidence: SignatureEvidence?

    /// A plugin that is part of the server.
    public static let `internal` = PluginSignature(verdict: nil, evidence: nil)

    /// A verdict without evidence: it stands until the plugin is loaded again.
    public init(_ verdict: SignatureVerdict) {
        self.init(verdict: verdict, evidence: nil)
    }

    init(verdict: SignatureVerdict?, evidence: SignatureEvidence?) {
        self.verdict = verdict
        self.evidence = evidence
    }

    /// The status to show.
    public var status: SignatureStatus { verdict.map { SignatureStatus($0.status) } ?? .internal }
    /// Set when the status is `valid`.
    public var type: Manifest.SignatureType? { verdict?.type }
    /// The display name of the signer; empty unless the status is `valid`.
    public var organization: String { verdict?.organization ?? "" }
    /// How near to the server the trust lets the plugin run; nil unless the status is `valid`.
    public var level: TrustLevel? { verdict?.level }
    /// The closest to the server that the signer's key lets the plugin run: L1 for keys that were granted it, else L2.
    var closestLevel: IsolationLevel { level == .inProcess ? .inProcess : .process }
}

extension PluginSignature {
    /// The signature of one plugin of a bundle: its key has to be trusted for the plugin's id and its aliases as well.
    func narrowed(to descriptor: PluginDescriptor) -> PluginSignature {
        guard let verdict else { return self }
        let own = verdict.narrowed(to: [descriptor.id] + descriptor.aliasIDs)
        return own == verdict ? self : PluginSignature(own)
    }

    /// Whether a plugin may go on as it runs when this signature takes the place of the other.
    func grantsTheSame(as other: PluginSignature) -> Bool { status == other.status && level == other.level }
}

/// Judges the signature of one bundle; called on the loader's own thread, so it may read files.
public protocol SignatureVerifier: Sendable {
    /// The verdict on a primary plugin, which its nested plugins take over.
    ///
    /// - Parameter bundle: the primary plugin first. Its `files` are those that MANIFEST.txt must list. Of files that are
    ///   among the `sealedFiles` of a candidate the digest there counts, and not what is on the disk by now.
    func signature(of bundle: [PluginCandidate]) -> PluginSignature

    /// Judges a running plugin again, by what was verified when it was loaded; reads no file.
    ///
    /// - Parameter sealed: the code that it runs, for a plugin without a signature.
    func rejudge(_ signature: PluginSignature, sealed: [SealedImage]) -> PluginSignature
}
