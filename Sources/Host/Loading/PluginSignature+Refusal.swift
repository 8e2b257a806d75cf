// SPDX-License-Identifier: Apache-2.0
internal import Signing

extension PluginSignature {
    /// Why a plugin with this signature does not run; nil when it may.
    func refusal(of id: String, folder: String) -> PluginRefusal? {
        guard let verdict, verdict.status != .valid else { return nil }
        var refusal = PluginRefusal(
            Self.code(of: verdict.status), pluginID: id, folder: folder, found: Self.found(verdict),
            expected: Self.expected(verdict), message: Self.message(verdict), remedy: Self.remedy(verdict, id: id))
        refusal.signature = verdict
        return refusal
    }

    private static func code(of status: SignatureVerdict.Status) -> PluginRefusal.Code {
        switch status {
        case .unsigned: .signatureMissing
        case .modified: .signatureModified
        case .invalid, .valid: .signatureInvalid
        }
    }

    private static func message(_ verdict: SignatureVerdict) -> String {
        switch verdict.status {
        case .unsigned: "the plugin is not signed"
        case .modified: "the plugin's files differ from what was signed: \(verdict.reason)"
        case .invalid, .valid: "the plugin's signature is not valid: \(verdict.reason)"
        }
    }

    private static func found(_ verdict: SignatureVerdict) -> String {
        if let difference = verdict.difference {
            return "\(difference.path) with SHA-256 \(difference.found?.hexadecimal ?? "unknown, it cannot be read")"
        }
        switch verdict.status {
        case .unsigned: return verdict.reason
        case .modified: return verdict.manifest.map { "signed as \($0.plugin) \($0.version)" } ?? verdict.reason
        case .invalid, .valid: return verdict.manifest.map { "a signature by the key \($0.keyID)" } ?? verdict.reason
        }
    }

    private static func expected(_ verdict: SignatureVerdict) -> String {
        if let difference = verdict.difference {
            return verdict.code == .fileRevoked
                ? "a file that is not revoked" : difference.expected?.hexadecimal ?? "no such file"
        }
        switch verdict.status {
        case .unsigned: return "a signed MANIFEST.txt"
        case .modified: return "the id and version of plugin.json"
        case .invalid, .valid: return "a good signature by a key that is trusted for the plugin"
        }
    }

    private static func remedy(_ verdict: SignatureVerdict, id: String) -> String {
        if verdict.status == .unsigned {
            return "install a signed build, or add \(id) to [plugins] allow_loading_unsigned_plugins if you trust it"
        }
        return verdict.remedy.isEmpty ? "reinstall the plugin" : verdict.remedy
    }
}
