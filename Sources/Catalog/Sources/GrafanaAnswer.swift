// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What Grafana's catalogue answers, as far as an installer needs it.
///
/// Entries that could not be installed, such as ids that are no folder's name, are left out.
///
/// - SeeAlso: Grafana, `pkg/plugins/repo/models.go`.
enum GrafanaAnswer {
    /// `/<id>/versions`, newest first; nil for another answer.
    static func versions(_ json: JSONValue) -> [ListedVersion]? { json["items"]?.array?.compactMap(version) }

    /// `/repo`; nil for another answer.
    static func plugins(_ json: JSONValue) -> [ListedPlugin]? {
        json["plugins"]?.array?.compactMap { item in
            guard let id = item["id"]?.string, PluginID.isValid(id) else { return nil }
            var plugin = ListedPlugin(id: id)
            plugin.category = item["category"]?.string ?? ""
            plugin.versions = (item["versions"]?.array ?? []).compactMap(version)
            return plugin
        }
    }

    /// `?slugIn=…`: the newest versions by id.
    static func newest(_ json: JSONValue) -> [String: String] {
        var found: [String: String] = [:]
        for item in json["items"]?.array ?? [] {
            if let slug = item["slug"]?.string, let version = item["version"]?.string { found[slug] = version }
        }
        return found
    }

    private static func version(_ item: JSONValue) -> ListedVersion? {
        guard let version = item["version"]?.string, !version.isEmpty else { return nil }
        let builds = (item["arch"]?.object ?? [:]).map { name, value in
            (name, ListedVersion.Build(hash: value["sha256"]?.string?.lowercased(), size: nil))
        }
        return ListedVersion(
            version: version, isCompatible: item["isCompatible"]?.bool ?? true,
            builds: Dictionary(builds, uniquingKeysWith: { first, _ in first }))
    }
}
