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
    ///   - type: The id of the data source's plugin.
    ///   - routes: `routes` of plugin.json.
    /// - Throws: ``APIError`` 403, or 400 for a path that climbs.
    func check(
        _ method: RequestMethod, _ path: String, ofType type: String, routes: [JSONValue], role: OrgRole
    ) throws {
        let path = try Self.decoded(path)
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
        } else if !routes.isEmpty, [.put, .patch, .delete].contains(method), role < .editor {
            // No query is sent like this, and the plugin has said what may be changed.
            throw APIError(.forbidden, "plugin proxy route access denied")
        }
        try checkType(method, path, type, hasRoute: route != nil, routes)
    }

    /// Checks the host of the target.
    func check(host: String, port: Int) throws {
        guard options.allowedHosts.isEmpty || options.allowedHosts.contains("\(host):\(port)") else {
            throw APIError(.forbidden, "Data proxy hostname and ip are not included in whitelist")
        }
    }

    /// The path as the server behind reads it: without escapes, and with one slash where there are several.
    ///
    /// - Throws: ``APIError`` 400 for a path that climbs, or whose escapes are malformed.
    private static func decoded(_ path: String) throws -> String {
        guard let text = path.removingPercentEscapes else { throw APIError(.badRequest, "invalid path") }
        // By bytes: a combining mark behind a slash must not hide it.
        let parts = text.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }.map { String($0) ?? ".." }
        guard !parts.contains(where: { $0 == ".." || $0 == "." }) else { throw APIError(.badRequest, "invalid path") }
        return parts.joined(separator: "/")
    }

    private static func matches(_ route: JSONValue, _ method: RequestMethod, _ path: String) -> Bool {
        if let wanted = route["method"]?.string, !wanted.isEmpty, wanted != "*", wanted != method.rawValue {
            return false
        }
        guard let prefix = route["path"]?.string else { return false }
        return path.utf8.starts(with: prefix.drop { $0 == "/" }.utf8)
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
