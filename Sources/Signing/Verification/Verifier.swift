// SPDX-License-Identifier: Apache-2.0

/// Judges the signatures of plugins by Grafana's rules and a trust store.
///
/// A value without state; may be used on any thread and blocks while it reads files. The steps and their order are those
/// of Grafana, and between them stand the checks that it lacks: weak algorithms, expiry, revocation, and what a key may
/// sign.
///
/// ```swift
/// let verifier = Verifier(store: try .builtIn(), rootURL: "http://localhost:3000/")
/// let verdict = verifier.verdict(folder: "data/plugins/acme-sine-datasource", now: now)
/// verdict.status     // .modified
/// verdict.reason     // "module.js differs from MANIFEST.txt"
/// ```
///
/// - SeeAlso: Grafana, `pkg/plugins/manager/signature/manifest.go`.
public struct Verifier: Sendable {
    /// Receives each step as it is done.
    public typealias Trace = (VerificationStep) -> Void

    /// Whom to trust.
    public var store: TrustStore
    /// The server's URL, as `[server] root_url` says; nil: do not check for which server a plugin is signed.
    public var rootURL: String?

    /// Makes a verifier.
    public init(store: TrustStore, rootURL: String?) {
        self.store = store
        self.rootURL = rootURL
    }

    /// Judges a plugin by its files.
    ///
    /// - Parameters:
    ///   - plugin: What plugin.json says, from the same bytes that are used later.
    ///   - now: Seconds since 1970.
    /// - Complexity: Reads each listed file once, on all cores.
    public func verdict(
        on content: some PluginContent, plugin: PluginIdentity, now: Int64, trace: Trace? = nil
    ) -> SignatureVerdict {
        var judgement = Judgement(verifier: self, now: now, trace: trace)
        return judgement.judge(content, plugin: plugin)
    }

    /// Judges a plugin's folder, with what its plugin.json says.
    ///
    /// - Throws: ``SigningError`` when the folder or its plugin.json cannot be read.
    public func verdict(folder: String, now: Int64, trace: Trace? = nil) throws(SigningError) -> SignatureVerdict {
        let content: FolderContent
        do throws(SigningError) {
            content = try FolderContent(folder)
        } catch {
            guard let verdict = SignatureVerdict(refusedContent: error) else { throw error }
            trace?(VerificationStep("files", .failed, error.message))
            return verdict
        }
        let bytes = try content.bytes(of: "plugin.json", limit: PluginIdentity.maximumBytes)
        return verdict(on: content, plugin: try PluginIdentity(pluginJSON: bytes), now: now, trace: trace)
    }
}

extension SignatureVerdict {
    /// The verdict on a plugin whose files may not be used at all; nil for an error that is no verdict.
    ///
    /// For callers that list the files themselves, as ``FolderContent`` does.
    public init?(refusedContent error: SigningError) {
        switch error.code {
        case .linkOutside:
            self.init(
                .invalid, .linkOutside, reason: error.message,
                remedy: "replace the link by the file itself and sign the plugin again")
        case .fileSpecial:
            self.init(
                .invalid, .fileSpecial, reason: error.message,
                remedy: "remove it; a plugin consists of files and folders")
        default: return nil
        }
    }
}
