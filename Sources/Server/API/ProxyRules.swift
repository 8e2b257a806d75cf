// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import PluginABI
import PluginHost
import Storage

/// What may go through the data source proxy.
struct ProxyRules {
    let options: ServerOptions.Proxy

    /// Paths below a Prometheus server that take POST, where its plugin lists none.
    private static let prometheusPosts = [
        "api/v1/query", "api/v1/query_range", "api/v1/query_exemplars", "api/v1/series", "api/v1/labels",
        "api/v1/format_query", "api/v1/parse_query",
    ]

    /// Checks a request against the rules.
    ///
    /// - Parameters:
    ///   - path: Below the data source, without a leading slash, escapes kept.
    ///   - routes: `routes` of plugin.json.
    /// - Throws: ``APIError`` 403, or 400 for a path that climbs.
    func check(
        _ method: RequestMethod, _ path: String, of source: ResolvedDataSource, routes: [JSONValue], role: OrgRole
    ) throws {
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            guard let decoded = String(part).removingPercentEscapes, decoded != "..", decoded != ".",
                !decoded.contains("/../")
            else { throw APIError(.badRequest, "invalid path") }
        }
        let route = routes.first { Self.matches($0, method, path) }
        if let route {
            guard route["url"] == nil else {
                throw APIError(
                    HTTPStatus.notImplemented,
                    "The plugin's route has its own URL, which this version does not follow")
            }
            if let wanted = route["reqRole"]?.string.flatMap(OrgRole.init(rawValue:)), role < wanted {
                throw APIError(.forbidden, "plugin proxy route access denied")
            }
        }
        try checkType(method, path, source.configuration.settings.pluginID, hasRoute: route != nil, routes)
    }

    /// Checks the host of the target.
    func check(host: String, port: Int) throws {
        guard options.allowedHosts.isEmpty || options.allowedHosts.contains("\(host):\(port)") else {
            throw APIError(.forbidden, "Data proxy hostname and ip are not included in whitelist")
        }
    }

    private static func matches(_ route: JSONValue, _ method: RequestMethod, _ path: String) -> Bool {
        if let wanted = route["method"]?.string, !wanted.isEmpty, wanted != "*", wanted != method.rawValue {
            return false
        }
        guard let prefix = route["path"]?.string else { return false }
        return path.hasPrefix(prefix.drop { $0 == "/" })
    }

    private func checkType(
        _ method: RequestMethod, _ path: String, _ type: String, hasRoute: Bool, _ routes: [JSONValue]
    ) throws {
        let isChange = method == .delete || method == .put || method == .post
        guard isChange else { return }
        if type == "elasticsearch" {
            guard method == .post, path == "_msearch" else {
                throw APIError(.forbidden, "\(method.rawValue) not allowed on ElasticSearch")
            }
        } else if type == "prometheus" || type.hasSuffix("-prometheus-datasource") {
            let isListed = routes.isEmpty ? method == .post && Self.prometheusPosts.contains(path) : hasRoute
            guard isListed else {
                throw APIError(
                    .forbidden, "non allow-listed \(method.rawValue)s not allowed on proxied Prometheus datasource")
            }
        }
    }
}
