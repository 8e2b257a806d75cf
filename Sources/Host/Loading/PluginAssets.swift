// SPDX-License-Identifier: Apache-2.0

/// The URLs under which the browser finds a plugin's files.
///
/// - SeeAlso: Grafana, `pkg/plugins/manager/loader/assetpath/assetpath.go`.
public struct PluginAssets: Sendable, Equatable {
    /// `/public/plugins/<id>`, a child's parent plus the relative path, or `/public/app/plugins/<type>/<folder>` for core.
    public var baseURL: String
    /// The URL of module.js, or `core:plugin/<folder>`.
    public var module: String
    /// A URL; the icon of the type when plugin.json names none.
    public var smallLogo: String
    /// A URL; the icon of the type when plugin.json names none.
    public var largeLogo: String
    /// URLs, in the order of `info.screenshots`.
    public var screenshots: [PluginDescriptor.Screenshot]
    /// The page that the navigation opens for an app; empty when no include asks for it.
    public var defaultNavURL = ""

    /// The URLs of an external plugin.
    init(external descriptor: PluginDescriptor) {
        let base = "/public/plugins/\(descriptor.id)"
        self.init(descriptor, baseURL: base, module: base + "/module.js")
    }

    /// The URLs of a plugin that is part of the server.
    init(core descriptor: PluginDescriptor, folderName: String) {
        self.init(
            descriptor, baseURL: "/public/app/plugins/\(descriptor.type.rawValue)/\(folderName)",
            module: "core:plugin/\(folderName)")
    }

    /// The URLs of a nested plugin: below its parent's.
    init(child descriptor: PluginDescriptor, of parent: PluginAssets, relativePath: String, pluginClass: PluginClass) {
        let base = parent.baseURL + "/" + relativePath
        let name = FilePath.lastComponent(relativePath)
        self.init(descriptor, baseURL: base, module: pluginClass == .core ? "core:plugin/\(name)" : base + "/module.js")
    }

    private init(_ descriptor: PluginDescriptor, baseURL: String, module: String) {
        let fallback = "/public/img/icn-\(descriptor.type.rawValue).svg"
        func url(_ path: String) -> String {
            if path.hasPrefix("http://") || path.hasPrefix("https://") { return path }
            return baseURL + "/" + (FilePath.normalized(path) ?? path)
        }
        self.baseURL = baseURL
        self.module = module
        smallLogo = descriptor.info.smallLogo.isEmpty ? fallback : url(descriptor.info.smallLogo)
        largeLogo = descriptor.info.largeLogo.isEmpty ? fallback : url(descriptor.info.largeLogo)
        screenshots = descriptor.info.screenshots.map { .init(name: $0.name, path: url($0.path)) }
    }
}
