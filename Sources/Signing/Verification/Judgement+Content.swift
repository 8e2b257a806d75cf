// SPDX-License-Identifier: Apache-2.0

extension Judgement {
    // MARK: - For whom

    func checkIdentity(_ plugin: PluginIdentity, in manifest: Manifest) throws(Refusal) {
        let again = "get the plugin again from its author, or sign it again"
        guard plugin.id.utf8.elementsEqual(manifest.plugin.utf8) else {
            throw refusal(
                "identity", .pluginDiffers, "plugin.json has the id '\(plugin.id)', signed was '\(manifest.plugin)'",
                remedy: again, status: .modified)
        }
        guard plugin.version.utf8.elementsEqual(manifest.version.utf8) else {
            throw refusal(
                "identity", .versionDiffers,
                "plugin.json has the version '\(plugin.version)', signed was '\(manifest.version)'", remedy: again,
                status: .modified)
        }
        passed("identity", "\(plugin.id) \(plugin.version)")
    }

    func checkRootURL(of manifest: Manifest) throws(Refusal) {
        guard !manifest.rootURLs.isEmpty else {
            trace?(VerificationStep("root-url", .skipped, "signed for every server"))
            return
        }
        let urls = manifest.rootURLs.joined(separator: ", ")
        guard let rootURL = verifier.rootURL else {
            trace?(VerificationStep("root-url", .skipped, "signed for \(urls); no server was named"))
            return
        }
        switch RootURL.isAllowed(manifest.rootURLs, applicationURL: rootURL, type: manifest.signatureType) {
        case true?: passed("root-url", "\(rootURL) is one of \(urls)")
        case false?:
            throw refusal(
                "root-url", .rootURLMismatch, "it is signed for \(urls), this server is \(rootURL)",
                remedy: "set root_url in the section [server], or sign it for this URL")
        case nil:
            throw refusal(
                "root-url", .rootURLMalformed, "one of the root URLs \(urls), or the server's \(rootURL), is no URL",
                remedy: "correct root_url in the section [server], or sign it again")
        }
    }

    // MARK: - The files

    /// Looks for revoked content among what is listed; that the files are what is listed comes next.
    func checkRevocations(of manifest: Manifest) throws(Refusal) {
        let list = verifier.store.revocations
        guard !list.files.isEmpty else {
            trace?(VerificationStep("revocations", .skipped, "no file is revoked"))
            return
        }
        let revoked = Dictionary(list.files.map { ($0.subject, $0.reason) }, uniquingKeysWith: { first, _ in first })
        for file in manifest.files {
            guard let reason = revoked[file.digest.hexadecimal] else { continue }
            var refusal = refusal(
                "revocations", .fileRevoked, "the file \(file.path) is revoked: \(reason)",
                remedy: "install another release of the plugin")
            refusal.verdict.difference = .init(path: file.path, expected: nil, found: file.digest)
            throw refusal
        }
        passed("revocations", "list \(list.serial), none of its \(list.files.count) files is here")
    }

    /// Compares what is there with what is listed; both lists are sorted by bytes.
    func checkContent(_ content: some PluginContent, manifest: Manifest) throws(Refusal) {
        let present = content.paths.filter { $0 != Manifest.fileName }.sorted(by: PathOrder.precedes)
        let pairs = Self.merge(manifest.files, present)
        let common = pairs.compactMap { $0.isPresent ? $0.listed : nil }
        var digests = ParallelDigests.of(common.map(\.path), in: content).makeIterator()

        var first: Refusal?
        var count = 0
        for pair in pairs {
            let found = pair.listed != nil && pair.isPresent ? digests.next() : nil
            guard let refusal = fault(of: pair, found: found) else { continue }
            count += 1
            if first == nil { first = refusal }
        }
        guard var refusal = first else { return passed("content", "\(common.count) files are as they were signed") }
        refusal.verdict.differenceCount = count
        if refusal.verdict.code == .fileExtra, let path = refusal.verdict.difference?.path {
            refusal.verdict.difference?.found = try? content.digest(of: path)
        }
        if count > 1 { refusal.verdict.reason += ", and \(count - 1) more" }
        throw refusal
    }

    /// A path that is listed, present or both.
    struct Pair: Equatable {
        var path: String
        var listed: Manifest.File?
        var isPresent: Bool
    }

    /// All paths of two sorted lists, sorted.
    static func merge(_ listed: [Manifest.File], _ present: [String]) -> [Pair] {
        var pairs: [Pair] = []
        pairs.reserveCapacity(max(listed.count, present.count))
        var files = listed[...]
        var paths = present[...]
        while true {
            switch (files.first, paths.first) {
            case (nil, nil): return pairs
            case (let file?, let path?) where file.path.utf8.elementsEqual(path.utf8):
                pairs.append(Pair(path: path, listed: file, isPresent: true))
                files.removeFirst()
                paths.removeFirst()
            case (let file?, let path) where path.map({ PathOrder.precedes(file.path, $0) }) ?? true:
                pairs.append(Pair(path: file.path, listed: file, isPresent: false))
                files.removeFirst()
            case (_, let path):
                pairs.append(Pair(path: path ?? "", listed: nil, isPresent: true))
                paths.removeFirst()
            }
        }
    }

    private func fault(of pair: Pair, found: Result<FileDigest, SigningError>?) -> Refusal? {
        guard let listed = pair.listed else {
            return modified(
                .fileExtra, pair, found: nil, "the file \(pair.path) is not in \(Manifest.fileName)",
                remedy: "remove it if it is not the plugin's; otherwise get the plugin again")
        }
        let again = "get the plugin again from its author"
        switch found {
        case .success(listed.digest)?: return nil
        case .success(let digest)?:
            return modified(
                .fileDiffers, pair, found: digest, "the file \(pair.path) is not as signed",
                remedy: again)
        case nil:
            return modified(.fileMissing, pair, found: nil, "the file \(pair.path) is missing", remedy: again)
        case .failure(let error)?:
            if let verdict = SignatureVerdict(refusedContent: error) {
                return Refusal(step: "content", verdict: verdict)
            }
            return modified(
                .fileUnreadable, pair, found: nil, error.message,
                remedy: "let the server's user read it, or get the plugin again")
        }
    }

    private func modified(
        _ code: SignatureVerdict.Code, _ pair: Pair, found: FileDigest?, _ reason: String, remedy: String
    ) -> Refusal {
        var refusal = refusal("content", code, reason, remedy: remedy, status: .modified)
        refusal.verdict.difference = .init(path: pair.path, expected: pair.listed?.digest, found: found)
        return refusal
    }
}
