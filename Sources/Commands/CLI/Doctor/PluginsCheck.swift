// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginHost
import Server
import Settings
import Signing

/// Which plugins would load, and why others would not; their files are read, their code is not opened.
struct PluginsCheck: Sendable {
    let settings: Settings

    /// Built into the server: a folder with such an id is left out.
    private static let builtinIDs = ["grafana-testdata-datasource", "prometheus"]

    func findings() async -> [Finding] {
        let plugins: PluginSettings
        do { plugins = try PluginSettings(settings) } catch {
            return [.error("plugins", CommandFailure(error).message, remedy: "correct the setting")]
        }
        let quiet = Logger(label: "grafana.cli") { _ in SwiftLogNoOpLogHandler() }
        let registered = Dictionary(uniqueKeysWithValues: Self.builtinIDs.map { ($0, "") })
        let verifier = TrustVerifier(
            trust: ServerTrust.current(inFolder: plugins.trustFolder), rootURL: plugins.rootURL)
        let prepared = await LoadingPipeline(settings: plugins.loading, verifier: verifier, logger: quiet)
            .prepare(sources: sources(plugins), registered: registered)
        let warnings = prepared.validated.flatMap { plugin in
            plugin.warnings.map {
                Finding.warning(
                    "plugins", "plugin '\(plugin.id)': \($0.message) [\($0.code)]", remedy: "tell its author")
            }
        }
        let refusals = prepared.refusals.filter(\.isFault).map {
            // Keys of the database are not looked at here: the server itself knows them.
            $0.signature?.code == .keyUnknown
                ? Finding.warning(
                    "plugins", $0.description, remedy: "or trust the key in the database; the server reads both")
                : Finding.error("plugins", $0.description, remedy: "see \($0.documentation)")
        }
        let names = prepared.validated.map(\.id).sorted().joined(separator: ", ")
        let summary =
            "\(prepared.validated.count) can load\(names.isEmpty ? "" : ": \(names)"); \(refusals.count) refused"
        return [.ok("plugins", summary)] + warnings + refusals
    }

    /// A plugins folder that does not exist is no fault before the first plugin.
    private func sources(_ plugins: PluginSettings) -> [PluginSource] {
        let isThere = !plugins.folder.isEmpty && FolderCheck.exists(plugins.folder)
        return PluginSource.all(plugins: isThere ? plugins.folder : nil, pluginPaths: plugins.paths)
    }
}
