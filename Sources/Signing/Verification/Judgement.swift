// SPDX-License-Identifier: Apache-2.0

/// One verification on its way.
struct Judgement {
    let verifier: Verifier
    let now: Int64
    let trace: Verifier.Trace?
    private var signer: SignatureVerdict.Signer?
    private var manifest: Manifest?
    private var signedAt: Int64?

    init(verifier: Verifier, now: Int64, trace: Verifier.Trace?) {
        self.verifier = verifier
        self.now = now
        self.trace = trace
    }

    /// The verdict; each step can end the way.
    mutating func judge(_ content: some PluginContent, plugin: PluginIdentity) -> SignatureVerdict {
        var verdict: SignatureVerdict
        do throws(Refusal) {
            let signed = try readManifest(of: content)
            let manifest = try parse(signed.text)
            let key = try findKey(of: manifest)
            try verifySignature(signed, key: key)
            try checkFormat(of: manifest)
            try checkGrants(of: key, to: manifest)
            try checkIdentity(plugin, in: manifest)
            try checkRootURL(of: manifest)
            try checkRevocations(of: manifest)
            try checkContent(content, manifest: manifest)
            verdict = SignatureVerdict(
                .valid, .valid, reason: "signed by \(key.owner), \(manifest.files.count) files unchanged")
            verdict.level = key.level
            verdict.grantedPlugins = key.plugins
        } catch {
            trace?(VerificationStep(error.step, .failed, error.verdict.reason))
            verdict = error.verdict
        }
        verdict.signer = signer
        verdict.manifest = manifest
        verdict.signedAt = signedAt
        return verdict
    }

    /// The end of the way at one step.
    struct Refusal: Error {
        var step: String
        var verdict: SignatureVerdict
    }

    func refusal(
        _ step: String, _ code: SignatureVerdict.Code, _ reason: String, remedy: String,
        status: SignatureVerdict.Status = .invalid
    ) -> Refusal {
        Refusal(step: step, verdict: SignatureVerdict(status, code, reason: reason, remedy: remedy))
    }

    func passed(_ step: String, _ detail: @autoclosure () -> String) {
        trace?(VerificationStep(step, .passed, detail()))
    }

    // MARK: - The manifest

    private func readManifest(of content: some PluginContent) throws(Refusal) -> ClearSignedText {
        let again = "get the plugin again from its author"
        guard !content.paths.isEmpty else {
            throw refusal("files", .noFiles, "the plugin has no files", remedy: again)
        }
        passed("files", "\(content.paths.count) files")
        let bytes: [UInt8]
        do throws(SigningError) {
            bytes = try content.bytes(of: Manifest.fileName, limit: Manifest.maximumBytes)
        } catch {
            let isThere = content.paths.contains(Manifest.fileName)
            guard error.code != .fileTooLarge else {
                throw refusal("manifest", .manifestTooLarge, error.message, remedy: again)
            }
            throw unsigned(isThere ? error.message : "it has no \(Manifest.fileName)")
        }
        guard bytes.count >= 10 else { throw unsigned("its \(Manifest.fileName) is empty") }
        do throws(FormatError) {
            let signed = try ClearSignedText(parsing: bytes)
            passed("manifest", "\(bytes.count) bytes, a clear-signed text")
            return signed
        } catch {
            throw refusal(
                "manifest", .manifestMalformed, "\(Manifest.fileName) is damaged: \(error.message)", remedy: again)
        }
    }

    private func unsigned(_ reason: String) -> Refusal {
        refusal(
            "manifest", .noManifest, reason,
            remedy: "sign it with grafana-sign sign, or name it in allow_loading_unsigned_plugins if you trust it",
            status: .unsigned)
    }

    private mutating func parse(_ text: [UInt8]) throws(Refusal) -> Manifest {
        do throws(ManifestFault) {
            let manifest = try Manifest(parsing: text)
            self.manifest = manifest
            passed(
                "fields",
                "\(manifest.plugin) \(manifest.version), \(manifest.files.count) files, key \(manifest.keyID)")
            return manifest
        } catch {
            throw refusal(
                "fields", error.code, "\(Manifest.fileName) is malformed: \(error.message)",
                remedy: "get the plugin again from its author, or sign it again")
        }
    }

    // MARK: - The key and the signature

    private mutating func findKey(of manifest: Manifest) throws(Refusal) -> TrustedKey {
        guard let key = verifier.store.key(id: manifest.keyID) else {
            throw refusal(
                "key", .keyUnknown, "there is no public key for \(manifest.keyID)",
                remedy: "if you trust its owner, get the public key and add it with grafana-sign trust add")
        }
        signer = key.signer
        if let entry = verifier.store.revocations.entry(of: key.key) {
            throw refusal(
                "key", .keyRevoked, "the key \(key.key.keyID) of \(key.owner) is revoked: \(entry.reason)",
                remedy: "install a release that is signed with the owner's new key")
        }
        guard !key.key.isRevoked else {
            throw refusal(
                "key", .keyRevoked, "\(key.owner) has revoked the key \(key.key.keyID)",
                remedy: "install a release that is signed with the owner's new key")
        }
        passed("key", "\(key.key.fingerprint) of \(key.owner), trusted by \(key.grantedBy)")
        return key
    }

    private mutating func verifySignature(_ signed: ClearSignedText, key: TrustedKey) throws(Refusal) {
        do throws(ManifestFault) {
            let facts = try SignatureCheck.verify(
                text: signed.text, signature: signed.signature, key: key.key, now: now)
            signedAt = facts.createdAt
            passed("signature", "\(key.key.algorithm) with \(facts.hash), made at \(facts.createdAt)")
        } catch {
            throw refusal(
                "signature", error.code, "\(Manifest.fileName): \(error.message)",
                remedy: error.code == .signatureTime
                    ? "set the clock of this machine" : "get the plugin again from its author, or sign it again")
        }
    }

    private func checkFormat(of manifest: Manifest) throws(Refusal) {
        guard manifest.isSupportedVersion else {
            throw refusal(
                "format", .manifestVersion,
                "\(Manifest.fileName) has the format \(manifest.manifestVersion.isEmpty ? "1" : manifest.manifestVersion), "
                    + "which is no longer accepted",
                remedy: "install a newer release of the plugin, or sign it again")
        }
        passed("format", manifest.manifestVersion)
    }

    private func checkGrants(of key: TrustedKey, to manifest: Manifest) throws(Refusal) {
        guard key.maySign(plugin: manifest.plugin) else {
            throw refusal(
                "grants", .keyNotForPlugin,
                "the key \(key.key.keyID) of \(key.owner) may not sign the plugin '\(manifest.plugin)'",
                remedy: "if it should, add the id to \"plugins\" in \(key.grantedBy)")
        }
        guard let type = manifest.signatureType, key.types.contains(type) else {
            throw refusal(
                "grants", .keyNotForType,
                "the key \(key.key.keyID) of \(key.owner) may not sign as '\(manifest.signatureType?.rawValue ?? "")'",
                remedy: "if it should, add the type to \"types\" in \(key.grantedBy)")
        }
        passed("grants", "may sign \(manifest.plugin) as \(type.rawValue), level \(key.level.rawValue)")
    }
}
