// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import PluginABI

/// Which servers a plugin in a sandbox may reach through the host: those of its `permissions`, and that of its data source,
/// which an administrator entered.
struct PermittedHosts: Sendable {
    /// `permissions.hosts` of plugin.json: names, `*` as the first label stands for any, optionally with `:port`.
    let patterns: [String]

    /// - Throws: ``PluginError`` `.forbidden`, which names the permission that is missing.
    func check(_ outgoing: OutgoingRequest, _ source: DataSourceConfiguration?) throws {
        let host = outgoing.request.host.lowercased()
        let port = outgoing.request.port
        guard !patterns.contains(where: { Self.matches($0, host: host, port: port) }) else { return }
        if let source, outgoing.isOfSameOrigin(as: source) { return }
        throw PluginError(
            .forbidden,
            "the plugin may not reach '\(host):\(port)': its plugin.json does not name it in permissions.hosts",
            source: .host)
    }

    static func matches(_ pattern: String, host: String, port: Int) -> Bool {
        var name = Substring(pattern.lowercased())
        if let colon = name.lastIndex(of: ":"), let wanted = Int(name[name.index(after: colon)...]) {
            guard wanted == port else { return false }
            name = name[..<colon]
        }
        guard name.hasPrefix("*.") else { return name == host }
        return host.hasSuffix(name.dropFirst()) && host.utf8.count > name.utf8.count - 1
    }
}
