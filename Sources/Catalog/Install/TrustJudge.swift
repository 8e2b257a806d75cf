// SPDX-License-Identifier: Apache-2.0
import Glibc
import Signing

/// Judges packages by their MANIFEST.txt and the trust store, as the server will when it loads them.
struct TrustJudge: PackageJudge {
    let trust: CatalogConfiguration.Trust
    let verifier: Verifier

    /// - Throws: ``CatalogError`` `.signatureRefused` for a trust store that cannot be used: then nothing is trusted.
    init(_ trust: CatalogConfiguration.Trust) throws {
        self.trust = trust
        let store: TrustStore
        do throws(SigningError) {
            store = try trust.source()
        } catch {
            throw CatalogError(.signatureRefused, "trust store: \(error.message)")
        }
        verifier = Verifier(store: store, rootURL: trust.rootURL.isEmpty ? nil : trust.rootURL)
    }

    /// Seconds since 1970.
    static var now: Int64 { Int64(time(nil)) }

    func isSamePublisher(_ one: String, _ other: String) -> Bool { verifier.store.isSamePublisher(one, other) }

    func judge(folder: String, facts: PackageFacts) throws -> LockedPlugin.Publisher {
        let home = FileTree.kind(of: "\(folder)/dist/plugin.json") == .file ? "\(folder)/dist" : folder
        var verdict: SignatureVerdict
        do throws(SigningError) {
            verdict = try verifier.verdict(folder: home, now: Self.now)
        } catch {
            throw CatalogError(
                .signatureRefused, "plugin '\(facts.id)': its signature cannot be judged: \(error.message)")
        }
        if verdict.status == .valid { verdict = verdict.narrowed(to: try PackageFacts.companions(folder: home)) }
        switch verdict.status {
        case .valid:
            return .init(
                status: "valid", fingerprint: verdict.signer?.fingerprint, owner: verdict.signer?.owner,
                type: verdict.type?.rawValue)
        case .unsigned:
            guard trust.allowsUnsigned || trust.unsignedIDs.contains(facts.id) else {
                throw CatalogError(
                    .signatureRefused,
                    "plugin '\(facts.id)': nobody signed it; get a signed package, or allow it by its id in [plugins] "
                        + "allow_loading_unsigned_plugins, or give --allow-unsigned")
            }
            return .init(status: "unsigned", fingerprint: nil, owner: nil, type: nil)
        default:
            throw CatalogError(
                .signatureRefused,
                "plugin '\(facts.id)': \(verdict.reason) (signature \(verdict.status.rawValue), \(verdict.code.rawValue))",
                remedy: verdict.remedy.isEmpty ? "get the package again from its publisher" : verdict.remedy)
        }
    }
}
