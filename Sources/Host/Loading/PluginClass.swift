// SPDX-License-Identifier: Apache-2.0

/// Where a plugin comes from, which decides how far it is trusted.
public enum PluginClass: String, Sendable, Hashable {
    /// Part of the server: its signature status is `internal` and nothing is checked.
    case core
    /// From the plugins folder or a `[plugin.<id>] path`: its signature is checked.
    case external
}

/// The five types that plugin.json may name.
public enum PluginType: String, Sendable, Hashable, CaseIterable {
    case datasource, panel, app, renderer, secretsmanager
}

/// A place that is searched for plugins.
public enum PluginSource: Sendable, Hashable {
    /// A folder whose immediate sub-folders and symlinks are plugins, each on its own; plain files are ignored.
    case collection(path: String, class: PluginClass)
    /// One plugin's folder.
    case folder(path: String, class: PluginClass)

    /// The name in a collection that belongs to the catalogue: packages on their way in, and former versions.
    public static let catalogFolder = ".catalog"

    /// The folder.
    public var path: String {
        switch self {
        case .collection(let path, _), .folder(let path, _): path
        }
    }

    /// The class that its plugins get.
    public var pluginClass: PluginClass {
        switch self {
        case .collection(_, let pluginClass), .folder(_, let pluginClass): pluginClass
        }
    }

    /// The sources in Grafana's order: core folders, the plugins folder, then each `[plugin.<id>] path` by id.
    ///
    /// - Parameter pluginPaths: plugin id → folder, from the sections `[plugin.<id>]`.
    public static func all(
        core: [String] = [], plugins: String?, pluginPaths: [String: String] = [:]
    ) -> [PluginSource] {
        var sources = core.map { PluginSource.collection(path: $0, class: .core) }
        if let plugins { sources.append(.collection(path: plugins, class: .external)) }
        let named = pluginPaths.sorted { $0.key < $1.key }
        return sources + named.map { .folder(path: $0.value, class: .external) }
    }
}
