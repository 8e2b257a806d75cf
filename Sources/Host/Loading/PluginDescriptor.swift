// SPDX-License-Identifier: Apache-2.0

public import PluginABI

/// plugin.json: what a plugin says about itself before any of its code is opened.
///
/// The fields that the host acts on are decoded; everything else stays in ``json``, which the API passes on.
/// - SeeAlso: Grafana, `pkg/plugins/models.go`; `docs/plugin-json.md`.
public struct PluginDescriptor: Sendable, Equatable {
    /// The unique id, such as `acme-sine-datasource`.
    public var id: String
    /// What kind of plugin it is.
    public var type: PluginType
    /// The display name.
    public var name = ""
    /// Version, author, logos.
    public var info = Information()
    /// What it needs; the installers act on it.
    public var dependencies = Dependencies()
    /// Pages and dashboards that it brings along.
    public var includes: [Include] = []

    /// The group in the catalog, such as `tsdb`.
    public var category = ""
    /// `alpha`, `beta`, `stable`, `deprecated` or empty.
    public var state = ""
    /// `backend`: it has code for the server.
    public var hasBackend = false
    /// The first part of the subprocess's file name, such as `gpx_sine`; may contain a relative path.
    public var executable = ""
    /// `alerting`: its queries may feed alert rules.
    public var hasAlerting = false
    /// `annotations`.
    public var hasAnnotations = false
    /// `logs`.
    public var hasLogs = false
    /// `metrics`.
    public var hasMetrics = false
    /// `tracing`.
    public var hasTracing = false
    /// `streaming`.
    public var hasStreaming = false
    /// `builtIn`: the list of plugins leaves it out.
    public var isBuiltIn = false
    /// `hideFromList`.
    public var isHiddenFromList = false
    /// `autoEnabled`: an app that cannot be disabled.
    public var isAutoEnabled = false
    /// `preload`: the page loads module.js at its start.
    public var isPreloaded = false
    /// `skipDataQuery`: a panel without queries.
    public var skipsDataQuery = false
    /// Other ids under which stored dashboards and data sources may know the plugin.
    public var aliasIDs: [String] = []

    /// The first part of the shared library's file name: `library` + `_<os>_<arch>.so`; nil for plugins without one.
    public var library: String?
    /// The least ABI minor that the library needs.
    public var abi = 0
    /// The isolation that the author prefers; the operator decides.
    public var isolation: Isolation?
    /// What the plugin asks the host for.
    public var permissions = Permissions()

    /// The whole plugin.json as it was read, for the API and for keys that the host does not know.
    public var json: JSONValue = .object(JSONObject())

    /// Makes one with the defaults.
    public init(id: String, type: PluginType) {
        self.id = id
        self.type = type
    }
}

extension PluginDescriptor {
    /// `info`: what the catalog and the plugin's page show.
    public struct Information: Sendable, Equatable {
        /// Semantic version, or empty.
        public var version = ""
        /// `YYYY-MM-DD`, or empty.
        public var updated = ""
        /// One paragraph for the catalog.
        public var description = ""
        /// `author.name`.
        public var authorName = ""
        /// `author.url`.
        public var authorURL = ""
        /// Search words.
        public var keywords: [String] = []
        /// Paths relative to the plugin's folder; empty: the type's own icon.
        public var smallLogo = ""
        /// Like ``smallLogo``.
        public var largeLogo = ""
        /// Pictures for the catalog.
        public var screenshots: [Screenshot] = []
        /// Links for the plugin's page.
        public var links: [Link] = []

        /// Makes one with the defaults.
        public init() {}
    }

    /// `info.screenshots[]`.
    public struct Screenshot: Sendable, Equatable {
        /// The display name.
        public var name = ""
        /// Relative to the plugin's folder, or a URL path.
        public var path = ""
    }

    /// `info.links[]`.
    public struct Link: Sendable, Equatable {
        /// The display name.
        public var name = ""
        /// The target.
        public var url = ""
    }

    /// `dependencies`.
    public struct Dependencies: Sendable, Equatable {
        /// `*` when plugin.json leaves it out.
        public var grafanaVersion = "*"
        /// A version range; informative, never a reason for a refusal at load time.
        public var grafanaDependency = ""
        /// Other plugins that must be installed.
        public var plugins: [Dependency] = []

        /// Makes one with the defaults.
        public init() {}
    }

    /// Another plugin that must be installed.
    public struct Dependency: Sendable, Equatable {
        /// The unique id, such as `acme-sine-datasource`.
        public var id = ""
        /// What kind of plugin it is.
        public var type = ""
        /// The display name.
        public var name = ""
    }

    /// A page or dashboard that the plugin brings along.
    public struct Include: Sendable, Equatable {
        /// What kind of plugin it is.
        public var type = ""
        /// The display name.
        public var name = ""
        /// Relative to the plugin's folder, or a URL path.
        public var path = ""
        /// The uid of a dashboard.
        public var uid = ""
        /// `Viewer`, `Editor` or `Admin`.
        public var role = "Viewer"
        /// The right that a user needs to see it.
        public var action = ""
        /// `addToNav`.
        public var isInNavigation = false
        /// `defaultNav`: the page that the navigation opens.
        public var isDefaultNavigation = false
        /// The name of an icon.
        public var icon = ""
        /// The name as a part of a URL: lower case, other characters than letters and digits as `-`.
        public var slug = ""
    }

    /// Where a plugin's code runs.
    public enum Isolation: String, Sendable, Hashable, CaseIterable {
        case inProcess = "in-process"
        case process
        case sandbox
    }

    /// What the plugin asks for; an empty list asks for nothing.
    public struct Permissions: Sendable, Equatable {
        /// Host names, `*` as the first label stands for any, optionally with `:port`.
        public var hosts: [String] = []
        /// Folders and files outside its own.
        public var paths: [String] = []
        /// Names of environment variables.
        public var env: [String] = []
        /// The most threads that the plugin starts itself.
        public var threads = 0

        /// Makes one with the defaults.
        public init() {}
    }
}
