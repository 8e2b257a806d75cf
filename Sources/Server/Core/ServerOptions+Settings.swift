// SPDX-License-Identifier: Apache-2.0
import Expressions
import HTTPTypes
public import Settings
import Storage

extension ServerOptions {
    /// Reads the options.
    ///
    /// - Throws: `SettingsError` for a value that does not fit its key.
    public init(settings: Settings) throws {
        self.init()
        try readServer(settings)
        try readSecurity(settings)
        try readAuthentication(settings)
        try readOthers(settings)
        try readLimits(settings)
        try readExpressions(settings)
    }

    private mutating func readServer(_ settings: Settings) throws {
        let name = settings.string("server", "protocol").isEmpty ? "http" : settings.string("server", "protocol")
        guard ["http", "https", "h2", "socket"].contains(name) else {
            throw SettingsError(.badValue, "[server] protocol: '\(name)' is unknown; write http, https or socket")
        }
        address = .tcp(
            host: settings.string("server", "http_addr"),
            port: try settings.text("server", "http_port") == nil
                ? 3000 : settings.int("server", "http_port", in: 0...65_535))
        if name == "socket" {
            address = .unixSocket(
                path: settings.path("server", "socket"),
                mode: UInt32(settings.string("server", "socket_mode"), radix: 8) ?? 0o660,
                group: try settings.text("server", "socket_gid") == nil ? -1 : settings.int("server", "socket_gid"))
        }
        if name == "https" || name == "h2" {
            tls = TLSFiles(
                certificate: settings.path("server", "cert_file"), key: settings.path("server", "cert_key"),
                password: Secret(settings.string("server", "cert_pass")),
                minimumVersion: settings.string("server", "min_tls_version"))
        }
        domain = settings.text("server", "domain") ?? domain
        rootURL = settings.text("server", "root_url") ?? rootURL
        if !rootURL.hasSuffix("/") { rootURL += "/" }
        subPath = Self.path(ofURL: rootURL)
        servesFromSubPath = try settings.bool("server", "serve_from_sub_path")
        enablesGzip = try settings.bool("server", "enable_gzip")
        logsRequests = try settings.bool("server", "router_logging")
        customHeaders = settings.section("server.custom_response_headers").sorted { $0.key < $1.key }.compactMap {
            guard let name = HTTPField.Name($0.key), HTTPField.isValidValue($0.value) else { return nil }
            return (name, $0.value)
        }
    }

    private mutating func readSecurity(_ settings: Settings) throws {
        isCookieSecure = try settings.bool("security", "cookie_secure")
        switch settings.string("security", "cookie_samesite").lowercased() {
        case "disabled": cookieSameSite = nil
        case "strict": cookieSameSite = "Strict"
        case "none": cookieSameSite = "None"
        default: cookieSameSite = "Lax"
        }
        allowsEmbedding = try settings.bool("security", "allow_embedding")
        if try settings.bool("security", "strict_transport_security"), tls != nil {
            let age = settings.text("security", "strict_transport_security_max_age_seconds") ?? "86400"
            strictTransportSecurity = "max-age=\(age)"
        }
        trustedOrigins = settings.list("security", "csrf_trusted_origins")
        let attempts = try settings.int("security", "brute_force_login_protection_max_attempts", in: 0...1000)
        maximumLoginAttempts = attempts == 0 ? 5 : attempts
        if try settings.bool("security", "disable_brute_force_login_protection") { maximumLoginAttempts = 0 }
        proxy.allowedHosts = settings.list("security", "data_source_proxy_whitelist")
    }

    private mutating func readAuthentication(_ settings: Settings) throws {
        cookieName = settings.text("auth", "login_cookie_name") ?? cookieName
        loginMaximumLifetime =
            try settings.duration("auth", "login_maximum_lifetime_duration") ?? loginMaximumLifetime
        disablesLoginForm = try settings.bool("auth", "disable_login_form")
        signoutRedirectURL = settings.string("auth", "signout_redirect_url")
        isBasicAuthEnabled = try settings.flag("auth.basic", "enabled", default: true)
        if try settings.bool("auth.anonymous", "enabled") {
            anonymous = Anonymous(
                orgName: settings.text("auth.anonymous", "org_name") ?? "Main Org.",
                role: settings.text("auth.anonymous", "org_role") ?? "Viewer",
                hidesVersion: try settings.bool("auth.anonymous", "hide_version"))
        }
    }

    private mutating func readOthers(_ settings: Settings) throws {
        areMetricsEnabled = try settings.flag("metrics", "enabled", default: true)
        metricsUser = settings.string("metrics", "basic_auth_username")
        metricsPassword = Secret(settings.string("metrics", "basic_auth_password"))
        let limit = try settings.int("datasources", "datasource_limit", in: 0...1_000_000)
        dataSourceLimit = limit == 0 ? 5000 : limit
        proxy.timeout = try settings.duration("dataproxy", "timeout") ?? proxy.timeout
        proxy.dialTimeout = try settings.duration("dataproxy", "dialTimeout") ?? proxy.dialTimeout
        proxy.responseLimit = try settings.int("dataproxy", "response_limit", in: 0 ... .max)
        proxy.sendsUserHeader = try settings.bool("dataproxy", "send_user_header")
        proxy.userAgent = settings.text("dataproxy", "user_agent") ?? proxy.userAgent
        sql.maxOpenConnections = try settings.int("sql_datasources", "max_open_conns_default", in: 0...1_000_000)
        sql.maxIdleConnections = try settings.int("sql_datasources", "max_idle_conns_default", in: 0...1_000_000)
        sql.maxLifetime = try settings.int("sql_datasources", "max_conn_lifetime_default", in: 0...1_000_000_000)
        isDevelopment = settings.string("", "app_mode") == "development"
        isPluginAdminEnabled = try settings.flag("plugins", "plugin_admin_enabled", default: true)
        listsAlphaPlugins = try settings.bool("plugins", "enable_alpha")
        minimumRefreshInterval = settings.text("dashboards", "min_refresh_interval") ?? minimumRefreshInterval
        defaultTheme = settings.text("users", "default_theme") ?? defaultTheme
        featureToggles = Self.toggles(settings)
        let listeners = settings.text("live", "max_connections")
        limits.liveListeners = try listeners == nil ? 100 : max(0, settings.int("live", "max_connections"))
    }

    /// The names of `enable`, and those with a key of their own that is true; a key that is not takes a name away.
    private static func toggles(_ settings: Settings) -> [String] {
        var names = Set(settings.list("feature_toggles", "enable"))
        for (name, value) in settings.section("feature_toggles") where name != "enable" {
            if value.lowercased() == "true" { names.insert(name) } else { names.remove(name) }
        }
        return names.sorted()
    }

    /// The keys that Grafana does not have; see `docs/http-api.md`.
    private mutating func readLimits(_ settings: Settings) throws {
        func number(_ key: String, _ current: Int) throws -> Int {
            let value = try settings.int("server", key, in: 0 ... .max)
            return value == 0 ? current : value
        }
        limits.bodyBytes = try number("max_body_bytes", limits.bodyBytes)
        limits.headerListBytes = try number("max_header_bytes", limits.headerListBytes)
        limits.connections = try number("max_connections", limits.connections)
        limits.idleTimeout = try settings.duration("server", "idle_timeout") ?? limits.idleTimeout
        let readTimeout = try settings.duration("server", "read_timeout") ?? .zero
        if readTimeout > .zero { limits.readPeriod = readTimeout }
        limits.writePeriod = try settings.duration("server", "write_timeout") ?? limits.writePeriod
        limits.shutdownPeriod = try settings.duration("server", "shutdown_timeout") ?? limits.shutdownPeriod
    }

    private mutating func readExpressions(_ settings: Settings) throws {
        expressions.isEnabled = try settings.flag("expressions", "enabled", default: true)
        expressions.isSQLEnabled = featureToggles.contains("sqlExpressions")
        expressions.readsDataPlane = !featureToggles.contains("disableSSEDataplane")
        func number(_ key: String, _ current: Int) throws -> Int {
            try settings.text("expressions", key) == nil
                ? current : settings.int("expressions", key, in: 0 ... .max)
        }
        expressions.sqlInputCells = try number("sql_expression_cell_limit", expressions.sqlInputCells)
        expressions.sqlOutputCells = try number("sql_expression_output_cell_limit", expressions.sqlOutputCells)
        expressions.sqlLength = try number("sql_expression_query_length_limit", expressions.sqlLength)
        expressions.sqlTimeout =
            try settings.duration("expressions", "sql_expression_timeout") ?? expressions.sqlTimeout
    }

    /// The path of an absolute URL without a slash at the end.
    private static func path(ofURL url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return "" }
        var path = url[scheme.upperBound...].drop { $0 != "/" }
        while path.last == "/" { path = path.dropLast() }
        return String(path)
    }
}

extension Settings {
    /// The value, or nil when it is empty.
    fileprivate func text(_ section: String, _ key: String) -> String? {
        let text = string(section, key)
        return text.isEmpty ? nil : text
    }

    fileprivate func flag(_ section: String, _ key: String, default value: Bool) throws -> Bool {
        text(section, key) == nil ? value : try bool(section, key)
    }
}
