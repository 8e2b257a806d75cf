// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginHost
import Server
import Settings
import Signing

/// Which plugins would load, and why others would not; their files are read, their code is not opened.
struct PluginsCheck: Sendable {
    let settings: Settings

    func findings() async -> [Finding] {
        let plugins: PluginSettings
        do { plugins = try PluginSettings(settings) } catch {
            return [.error("plugins", CommandFailure(error).message, remedy: "correct the setting")]
        }
        let quiet = Logger(label: "grafana.cli") { _ in SwiftLogNoOpLogHandler() }
        // Built into the server: a folder with such an id is left out.
        let registered = Dictionary(uniqueKeysWithValues: Composition.builtins.compactMap(\.id).map { ($0, "") })
        let trust = await SettingsTrust(settings, plugins)
        let verifier = TrustVerifier(trust: trust.current, rootURL: plugins.rootURL)
        let prepared = await LoadingPipeline(settings: plugins.loading, verifier: verifier, logger: quiet)
            .prepare(sources: sources(plugins), registered: registered)
        let warnings = prepared.validated.flatMap { plugin in
            plugin.warnings.map {
                Finding.warning(
                    "plugins", "plugin '\(plugin.id)': \($0.message) [\($0.code)]", remedy: "tell its author")
            }
        }
        let refusals = prepared.refusals.filter(\.isFault).map {
            $0.signature?.code == .keyUnknown && !trust.knowsDatabase
                ? Finding.warning(
                    "plugins", $0.description, remedy: "or trust the key in the database; the server reads both")
                : Finding.error("plugins", $0.description, remedy: "see \($0.documentation)")
        }
        let names = prepared.validated.map(\.id).sorted().joined(separator: ", ")
        let summary =
            "\(prepared.validated.count) can load\(names.isEmpty ? "" : ": \(names)"); \(refusals.count) refused"
        return Self.findings(trust) + [.ok("plugins", summary)] + warnings + refusals
    }

    private static func findings(_ trust: SettingsTrust) -> [Finding] {
        let notices = trust.notices.map {
            Finding.warning("trust", $0, remedy: "run this as the server's user, or see docs/signing.md")
        }
        switch trust.result {
        case .failure(let error):
            return [
                .error(
                    "trust", "\(error.message) [\(error.code.rawValue)]",
                    remedy: "until then the server takes no signature as valid")
            ]
        case .success(let store):
            let list = store.revocations
            let revoked = list.serial > 0 ? ", list of revocations \(list.serial)" : ""
            let place = trust.knowsDatabase ? "" : " in the trust folder"
            let count = store.keys.count
            return [.ok("trust", "\(count) \(count == 1 ? "key" : "keys")\(place)\(revoked)")] + notices
        }
    }

    /// A plugins folder that does not exist is no fault before the first plugin.
    private func sources(_ plugins: PluginSettings) -> [PluginSource] {
        let isThere = !plugins.folder.isEmpty && FolderCheck.exists(plugins.folder)
        return PluginSource.all(plugins: isThere ? plugins.folder : nil, pluginPaths: plugins.paths)
    }
}
