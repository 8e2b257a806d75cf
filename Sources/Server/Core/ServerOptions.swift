// SPDX-License-Identifier: Apache-2.0
public import Expressions
public import HTTPTypes
import Settings
public import Storage

/// What the HTTP server takes from the settings; each value has the default of `conf/defaults.ini`.
public struct ServerOptions: Sendable {
    /// Where the server listens.
    public enum Address: Sendable, Equatable {
        /// An empty host is all addresses; port 0 is any free one.
        case tcp(host: String, port: Int)
        /// A socket file with its mode and, unless negative, its group.
        case unixSocket(path: String, mode: UInt32, group: Int)
    }

    /// The version to announce: clients branch on it.
    public static let announcedVersion = "12.4.0"

    /// `[server] protocol`, `http_addr`, `http_port`, `socket`.
    public var address = Address.tcp(host: "", port: 3000)
    /// PEM files; nil for plain HTTP.
    public var tls: TLSFiles?
    /// With a slash at the end.
    public var rootURL = "http://localhost:3000/"
    /// The path of the root URL without a slash at the end: empty, or such as `/grafana`.
    public var subPath = ""
    /// Whether the whole tree also answers below ``subPath``.
    public var servesFromSubPath = false
    /// `[server] enable_gzip`.
    public var enablesGzip = false
    /// `[server] router_logging`: each request at the level info.
    public var logsRequests = false
    /// `[server.custom_response_headers]`.
    public var customHeaders: [(name: HTTPField.Name, value: String)] = []
    /// `[server] domain`.
    public var domain = "localhost"
    /// What one client may cost.
    public var limits = Limits()

    /// `[auth] login_cookie_name`.
    public var cookieName = "grafana_session"
    /// `[security] cookie_secure`.
    public var isCookieSecure = false
    /// `Lax`, `Strict`, `None`, or nil to leave it out.
    public var cookieSameSite: String? = "Lax"
    /// `[security] allow_embedding`.
    public var allowsEmbedding = false
    /// The value of `Strict-Transport-Security`; nil leaves the header out.
    public var strictTransportSecurity: String?
    /// `[security] csrf_trusted_origins`.
    public var trustedOrigins: [String] = []

    /// `[auth] login_maximum_lifetime_duration`: how long the cookie is kept.
    public var loginMaximumLifetime = Duration.seconds(30 * 86_400)
    /// `[auth] disable_login_form`.
    public var disablesLoginForm = false
    /// `[auth] signout_redirect_url`, or empty.
    public var signoutRedirectURL = ""
    /// `[auth.basic] enabled`.
    public var isBasicAuthEnabled = true
    /// 0 when the protection is off.
    public var maximumLoginAttempts = 5
    /// `[auth.anonymous]`; nil when it is off.
    public var anonymous: Anonymous?

    /// `[metrics] enabled`.
    public var areMetricsEnabled = true
    /// `[metrics] basic_auth_username`, or empty.
    public var metricsUser = ""
    /// `[metrics] basic_auth_password`, or empty.
    public var metricsPassword = Secret("")
    /// `[datasources] datasource_limit`.
    public var dataSourceLimit = 5000
    /// What SQL data sources get for settings that they leave out.
    public var sql = SQL()
    /// The data source proxy.
    public var proxy = Proxy()
    /// `app_mode = development`.
    public var isDevelopment = false
    /// `[plugins] plugin_admin_enabled`.
    public var isPluginAdminEnabled = true
    /// `[plugins] enable_alpha`.
    public var listsAlphaPlugins = false
    /// `[dashboards] min_refresh_interval`.
    public var minimumRefreshInterval = "5s"
    /// `[users] default_theme`.
    public var defaultTheme = "dark"
    /// `[feature_toggles]`: the names of those that are on, sorted.
    public var featureToggles: [String] = []
    /// `[expressions]`.
    public var expressions = ExpressionLimits()
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
        /// A PEM file with the certificate and its chain.
        public var certificate: String
        /// A PEM file with the private key.
        public var key: String
        /// Of the key file, or empty.
        public var password = Secret("")
        /// `TLS1.2` or `TLS1.3`.
        public var minimumVersion = ""
    }

    /// Who asks when nobody signed in.
    public struct Anonymous: Sendable, Equatable {
        /// The organisation that visitors are in.
        public var orgName = "Main Org."
        /// What visitors may do there.
        public var role = "Viewer"
        /// Whether `/api/health` leaves the version out.
        public var hidesVersion = false
    }

    /// `[dataproxy]` and what belongs to it.
    public struct Proxy: Sendable, Equatable {
        /// Of a whole exchange.
        public var timeout = Duration.seconds(30)
        /// Of the connection to the data source.
        public var dialTimeout = Duration.seconds(10)
        /// Bytes of an answer; 0 for no limit.
        public var responseLimit = 0
        /// `X-Grafana-User` with the login goes to data sources.
        public var sendsUserHeader = false
        /// The name under which the proxy asks.
        public var userAgent = "Grafana/\(ServerOptions.announcedVersion)"
        /// `host:port` of servers that data sources may use; empty for all.
        public var allowedHosts: [String] = []
    }

    /// `[sql_datasources]`.
    public struct SQL: Sendable, Equatable {
        /// Connections at one time.
        public var maxOpenConnections = 100
        /// Connections kept without use.
        public var maxIdleConnections = 100
        /// Seconds after which a connection is replaced.
        public var maxLifetime = 14_400
    }

    /// What one client may cost.
    public struct Limits: Sendable, Equatable {
        /// Of a request.
        public var bodyBytes = 10 * 1024 * 1024
        /// Of one header field.
        public var headerFieldBytes = 16 * 1024
        /// Of all header fields.
        public var headerListBytes = 64 * 1024
        /// Header fields of a request.
        public var headerFieldCount = 200
        /// Open at the same time; further clients wait.
        public var connections = 10_000
        /// Of a connection without a request, and for the head of a request to arrive.
        public var idleTimeout = Duration.seconds(60)
        /// In each period 16 KiB of a body must arrive.
        public var readPeriod = Duration.seconds(30)
        /// A client that takes nothing of its answer for this long is cut off.
        public var writePeriod = Duration.seconds(30)
        /// How long calls may go on when the server is asked to end.
        public var shutdownPeriod = Duration.seconds(20)
        /// The most queries of one request.
        public var queriesPerRequest = 100
        /// Listeners of live channels; 0 for no limit.
        public var liveListeners = 100
    }
}
