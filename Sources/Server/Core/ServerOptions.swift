// SPDX-License-Identifier: Apache-2.0
public import HTTPTypes
import Settings

/// What the HTTP server takes from the settings; each value has the default of `conf/defaults.ini`.
public struct ServerOptions: Sendable {
    /// Where the server listens.
    public enum Address: Sendable, Equatable {
        /// An empty host is all addresses; port 0 is any free one.
        case tcp(host: String, port: Int)
        case unixSocket(path: String, mode: UInt32, group: Int)
    }

    /// The version to announce: clients branch on it.
    public static let announcedVersion = "12.4.0"

    public var address = Address.tcp(host: "", port: 3000)
    /// PEM files; nil for plain HTTP.
    public var tls: TLSFiles?
    /// With a slash at the end.
    public var rootURL = "http://localhost:3000/"
    /// The path of the root URL without a slash at the end: empty, or such as `/grafana`.
    public var subPath = ""
    /// Whether the whole tree also answers below ``subPath``.
    public var servesFromSubPath = false
    public var enablesGzip = false
    public var logsRequests = false
    public var customHeaders: [(name: HTTPField.Name, value: String)] = []
    public var domain = "localhost"
    public var limits = Limits()

    public var cookieName = "grafana_session"
    public var isCookieSecure = false
    /// `Lax`, `Strict`, `None`, or nil to leave it out.
    public var cookieSameSite: String? = "Lax"
    public var allowsEmbedding = false
    public var strictTransportSecurity: String?
    public var trustedOrigins: [String] = []

    public var loginMaximumLifetime = Duration.seconds(30 * 86_400)
    public var disablesLoginForm = false
    public var signoutRedirectURL = ""
    public var isBasicAuthEnabled = true
    /// 0 when the protection is off.
    public var maximumLoginAttempts = 5
    public var anonymous: Anonymous?

    public var areMetricsEnabled = true
    public var metricsUser = ""
    public var metricsPassword = ""
    public var dataSourceLimit = 5000
    public var proxy = Proxy()
    public var isDevelopment = false
    public var isPluginAdminEnabled = true
    public var listsAlphaPlugins = false
    public var minimumRefreshInterval = "5s"
    public var defaultTheme = "dark"
    public var featureToggles: [String] = []
    /// The commit that the program was built from, or empty.
    public var commit = ""

    /// The defaults.
    public init() {}

    /// The subpath's slash, or `/`: where the cookies are valid.
    var cookiePath: String { subPath.isEmpty ? "/" : subPath }

    /// A path of this server as a browser asks for it.
    func link(_ path: String) -> String { subPath + path }
}

extension ServerOptions {
    /// The certificate of `protocol = https`.
    public struct TLSFiles: Sendable, Equatable {
        public var certificate: String
        public var key: String
        public var password = ""
        /// `TLS1.2` or `TLS1.3`.
        public var minimumVersion = ""
    }

    /// Who asks when nobody signed in.
    public struct Anonymous: Sendable, Equatable {
        public var orgName = "Main Org."
        public var role = "Viewer"
        public var hidesVersion = false
    }

    /// `[dataproxy]` and what belongs to it.
    public struct Proxy: Sendable, Equatable {
        public var timeout = Duration.seconds(30)
        public var dialTimeout = Duration.seconds(10)
        /// Bytes of an answer; 0 for no limit.
        public var responseLimit = 0
        public var sendsUserHeader = false
        public var userAgent = "Grafana/\(ServerOptions.announcedVersion)"
        /// `host:port` of servers that data sources may use; empty for all.
        public var allowedHosts: [String] = []
    }

    /// What one client may cost.
    public struct Limits: Sendable, Equatable {
        public var bodyBytes = 10 * 1024 * 1024
        public var headerFieldBytes = 16 * 1024
        public var headerListBytes = 64 * 1024
        public var headerFieldCount = 200
        public var connections = 10_000
        /// Of a connection without a request, and for the head of a request to arrive.
        public var idleTimeout = Duration.seconds(60)
        /// In each period 16 KiB of a body must arrive.
        public var readPeriod = Duration.seconds(30)
        /// A client that takes nothing of its answer for this long is cut off.
        public var writePeriod = Duration.seconds(30)
        /// The most queries of one request.
        public var queriesPerRequest = 100
        /// Listeners of live channels; 0 for no limit.
        public var liveListeners = 100
    }
}
