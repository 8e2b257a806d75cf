// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginHost
import Settings

/// Which plugins would load, and why others would not; their files are read, their code is not opened.
struct PluginsCheck: Sendable {
    let settings: Settings

    /// Built into the server: a folder with such an id is left out.
    private static let builtinIDs = ["grafana-testdata-datasource", "prometheus"]

    func findings() async -> [Finding] {
        let loading: LoadingSettings
        do { loading = try loadingSettings() } catch {
            return [.error("plugins", CommandFailure(error).message, remedy: "correct the setting")]
        }
        let quiet = Logger(label: "grafana.cli") { _ in SwiftLogNoOpLogHandler() }
        let registered = Dictionary(uniqueKeysWithValues: Self.builtinIDs.map { ($0, "") })
        let prepared = await LoadingPipeline(settings: loading, logger: quiet)
            .prepare(sources: sources(), registered: registered)
        let warnings = prepared.validated.flatMap { plugin in
            plugin.warnings.map {
                Finding.warning(
                    "plugins", "plugin '\(plugin.id)': \($0.message) [\($0.code)]", remedy: "tell its author")
            }
        }
        let refusals = prepared.refusals.filter(\.isFault).map {
            Finding.error("plugins", $0.description, remedy: "see \($0.documentation)")
        }
        let names = prepared.validated.map(\.id).sorted().joined(separator: ", ")
        let summary =
            "\(prepared.validated.count) can load\(names.isEmpty ? "" : ": \(names)"); \(refusals.count) refused"
        return [.ok("plugins", summary)] + warnings + refusals
    }

    private func loadingSettings() throws -> LoadingSettings {
        var loading = LoadingSettings()
        loading.isDevelopment = settings.string("", "app_mode") == "development"
        loading.unsignedIDs = LoadingSettings.ids(settings.string("plugins", "allow_loading_unsigned_plugins"))
        loading.disabledIDs = LoadingSettings.ids(settings.string("plugins", "disable_plugins"))
        loading.coreIDsAsExternal = Set(
            try pluginSections().filter { try settings.bool($0.section, "as_external") }.map(\.id))
        return loading
    }

    /// A plugins folder that does not exist is no fault before the first plugin.
    private func sources() -> [PluginSource] {
        let folder = settings.path("paths", "plugins")
        let paths = pluginSections().compactMap { section, id -> (String, String)? in
            let path = settings.path(section, "path")
            return path.isEmpty ? nil : (id, path)
        }
        return PluginSource.all(
            plugins: !folder.isEmpty && FolderCheck.exists(folder) ? folder : nil,
            pluginPaths: Dictionary(paths, uniquingKeysWith: { first, _ in first }))
    }

    private func pluginSections() -> [(section: String, id: String)] {
        settings.sectionNames.filter { $0.hasPrefix("plugin.") }.map { ($0, String($0.dropFirst("plugin.".count))) }
    }
}
