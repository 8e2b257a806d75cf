// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PluginABI
public import Signing
internal import Synchronization

/// Who is trusted right now; replaced as a whole when keys, grants or revocations change.
public final class CurrentTrust: Sendable {
    private let state: Mutex<Result<TrustStore, SigningError>>

    /// Begins with a store.
    public init(_ store: TrustStore) { state = Mutex(.success(store)) }

    /// Trusts Grafana's own key and nobody else.
    public static func builtIn() -> CurrentTrust {
        do throws(SigningError) {
            return CurrentTrust(try .builtIn())
        } catch {
            return CurrentTrust(unreadable: error)
        }
    }

    /// Begins without one: until there is one, no signature is valid, for the reason given.
    public init(unreadable reason: SigningError) { state = Mutex(.failure(reason)) }

    /// The store.
    ///
    /// - Throws: ``SigningError``: why there is none.
    public var store: TrustStore { get throws(SigningError) { try state.withLock { $0 }.get() } }

    /// There is nothing to put in the place of what is there; without a store, the reason is told from now on.
    public func fail(_ reason: SigningError) {
        state.withLock { state in
            if case .failure = state { state = .failure(reason) }
        }
    }

    /// Puts another store in the place of this one; whether that is a change.
    @discardableResult
    public func replace(with store: TrustStore) -> Bool {
        state.withLock { state in
            if case .success(store) = state { return false }
            state = .success(store)
            return true
        }
    }
}

/// The verifier of the server: Grafana's rules, and who is trusted at the moment of the question.
public struct TrustVerifier: SignatureVerifier {
    private let trust: CurrentTrust
    private let rootURL: String

    /// - Parameter rootURL: `[server] root_url`, for plugins that are signed for certain servers.
    public init(trust: CurrentTrust = .builtIn(), rootURL: String = "http://localhost:3000/") {
        self.trust = trust
        self.rootURL = rootURL
    }

    /// `internal` for core; else the verdict on the files and on what was sealed.
    public func signature(of bundle: [PluginCandidate]) -> PluginSignature {
        guard let primary = bundle.first, primary.pluginClass != .core else { return .internal }
        let store: TrustStore
        let content: BundleContent
        do {
            content = try BundleContent(bundle, of: primary)
            guard content.paths.contains(Manifest.fileName) else {
                let reason = "it has no \(Manifest.fileName)"
                return unsigned(content, SignatureVerdict(.unsigned, .noManifest, reason: reason))
            }
            store = try trust.store
        } catch {
            return PluginSignature(Self.unreadable(error))
        }
        if let irregular = FolderListing.irregular(in: primary.bundleFolder) {
            let name = FilePath.relative(irregular, to: primary.bundleFolder) ?? irregular
            return PluginSignature(
                SignatureVerdict(
                    .invalid, .fileSpecial, reason: "'\(name)' is neither a file nor a folder, nor a link to one",
                    remedy: "remove it; a signed plugin consists of files and folders"))
        }
        // As plugin.json has it, before placeholders are filled in.
        let version = primary.descriptor.json["info"]?["version"]?.string ?? ""
        let plugin = PluginIdentity(id: primary.descriptor.id, version: version)
        var verdict = verdict(on: content, plugin, store)
        if verdict.status == .unsigned { return unsigned(content, verdict) }
        guard verdict.status == .valid, let manifest = verdict.manifest else { return PluginSignature(verdict) }
        if let difference = content.difference(from: manifest) {
            verdict.status = .modified
            verdict.code = difference.expected == nil ? .fileExtra : .fileDiffers
            verdict.reason = "the file \(difference.path) changed while it was verified"
            verdict.remedy = "reinstall the plugin; nothing may write into its folder while it is loaded"
            verdict.difference = difference
            verdict.differenceCount = 1
            verdict.level = nil
            return PluginSignature(verdict)
        }
        return PluginSignature(verdict: verdict, evidence: content.evidence(manifest, of: plugin))
    }

    /// A plugin without a signature may still be known as bad.
    private func unsigned(_ content: BundleContent, _ unsigned: SignatureVerdict) -> PluginSignature {
        PluginSignature(revoked(content.sealedFiles) ?? unsigned)
    }

    /// The verdict on code of which one file is revoked; nil when none is.
    private func revoked(_ sealed: [(path: String, digest: FileDigest)]) -> SignatureVerdict? {
        guard let list = try? trust.store.revocations, !list.files.isEmpty else { return nil }
        for (path, digest) in sealed {
            guard let entry = list.files.first(where: { $0.subject == digest.hexadecimal }) else { continue }
            var verdict = SignatureVerdict(
                .invalid, .fileRevoked, reason: "the file \(path) is revoked: \(entry.reason)",
                remedy: "install another release of the plugin")
            verdict.difference = .init(path: path, expected: nil, found: digest)
            return verdict
        }
        return nil
    }

    /// The verdict of the present trust on what was verified before.
    public func rejudge(_ signature: PluginSignature, sealed: [SealedImage]) -> PluginSignature {
        guard let evidence = signature.evidence else {
            let code = sealed.map { (path: FilePath.lastComponent($0.origin), digest: $0.digest) }
            return revoked(code).map { PluginSignature($0) } ?? signature
        }
        do {
            let verdict = verdict(on: evidence, evidence.plugin, try trust.store)
            return PluginSignature(verdict: verdict, evidence: verdict.status == .valid ? evidence : nil)
        } catch {
            return PluginSignature(Self.unreadable(error))
        }
    }

    private func verdict(
        on content: some PluginContent, _ plugin: PluginIdentity, _ store: TrustStore
    ) -> SignatureVerdict {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Verifier(store: store, rootURL: rootURL).verdict(on: content, plugin: plugin, now: Int64(now.tv_sec))
    }

    private static func unreadable(_ error: any Error) -> SignatureVerdict {
        if let refusal = error as? PluginRefusal {
            return SignatureVerdict(
                .invalid, .fileUnreadable, reason: refusal.message, remedy: refusal.remedy)
        }
        return SignatureVerdict(
            .invalid, .trustUnreadable,
            reason: "who is trusted cannot be read: \((error as? SigningError)?.message ?? "\(error)")",
            remedy: "mend the trust folder; the server reads it again by itself")
    }
}

extension SignatureVerdict.Code {
    /// The trust folder or the database cannot say who is trusted.
    public static let trustUnreadable = Self(rawValue: "trust-unreadable")
}
