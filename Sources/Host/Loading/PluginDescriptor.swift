// SPDX-License-Identifier: Apache-2.0

public import PluginABI

/// plugin.json: what a plugin says about itself before any of its code is opened.
///
/// The fields that the host acts on are decoded; everything else stays in ``json``, which the API passes on.
/// - SeeAlso: Grafana, `pkg/plugins/models.go`; `docs/plugin-json.md`.
public struct PluginDescriptor: Sendable, Equatable {
    public var id: String
    public var type: PluginType
    public var name = ""
    public var info = Information()
    public var dependencies = Dependencies()
    public var includes: [Include] = []

    public var category = ""
    public var state = ""
    public var hasBackend = false
    /// The first part of the subprocess's file name, such as `gpx_sine`; may contain a relative path.
    public var executable = ""
    public var hasAlerting = false
    public var hasAnnotations = false
    public var hasLogs = false
    public var hasMetrics = false
    public var hasTracing = false
    public var hasStreaming = false
    public var isBuiltIn = false
    public var isHiddenFromList = false
    public var isAutoEnabled = false
    public var isPreloaded = false
    public var skipsDataQuery = false
    /// Other ids under which stored dashboards and data sources may know the plugin.
    public var aliasIDs: [String] = []

    /// The first part of the shared library's file name: `library` + `_<os>_<arch>.so`; nil for plugins without one.
    public var library: String?
    /// The least ABI minor that the library needs.
    public var abi = 0
    /// The isolation that the author prefers; the operator decides.
    public var isolation: Isolation?
    public var permissions = Permissions()

    /// The whole plugin.json as it was read, for the API and for keys that the host does not know.
    public var json: JSONValue = .object(JSONObject())

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
        public var description = ""
        public var authorName = ""
        public var authorURL = ""
        public var keywords: [String] = []
        /// Paths relative to the plugin's folder; empty: the type's own icon.
        public var smallLogo = ""
        public var largeLogo = ""
        public var screenshots: [Screenshot] = []
        public var links: [Link] = []

        public init() {}
    }

    public struct Screenshot: Sendable, Equatable {
        public var name = ""
        public var path = ""
    }

    public struct Link: Sendable, Equatable {
        public var name = ""
        public var url = ""
    }

    public struct Dependencies: Sendable, Equatable {
        /// `*` when plugin.json leaves it out.
        public var grafanaVersion = "*"
        /// A version range; informative, never a reason for a refusal at load time.
        public var grafanaDependency = ""
        public var plugins: [Dependency] = []

        public init() {}
    }

    public struct Dependency: Sendable, Equatable {
        public var id = ""
        public var type = ""
        public var name = ""
    }

    /// A page or dashboard that the plugin brings along.
    public struct Include: Sendable, Equatable {
        public var type = ""
        public var name = ""
        public var path = ""
        public var uid = ""
        /// `Viewer`, `Editor` or `Admin`.
        public var role = "Viewer"
        public var action = ""
        public var isInNavigation = false
        public var isDefaultNavigation = false
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
        public var paths: [String] = []
        /// Names of environment variables.
        public var env: [String] = []
        /// The most threads that the plugin starts itself.
        public var threads = 0

        public init() {}
    }
}
