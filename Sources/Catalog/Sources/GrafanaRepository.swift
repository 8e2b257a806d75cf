// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Grafana's catalogue, or a mirror of it.
///
/// - SeeAlso: Grafana, `pkg/plugins/repo/{client,service,models}.go`.
struct GrafanaRepository: Repository {
    /// The base without a slash at the end and without a password.
    let location: String
    let isOwn = false
    /// The base as the operator wrote it, without a slash at the end.
    let address: String
    let client: WebClient
    let target: InstallTarget
    /// Sent with every request below the base.
    let token: String?

    /// Ids in one question for the newest versions.
    static let batch = 50

    init(base: String, client: WebClient, target: InstallTarget, token: String? = nil) {
        var base = base[...]
        while base.last == "/" { base = base.dropLast() }
        address = String(base)
        location = WebAddress.withoutSecrets(address)
        self.client = client
        self.target = target
        self.token = token
    }

    /// The headers of every request.
    ///
    /// - Parameter origin: Who asks: `cli` or `api`.
    static func headers(target: InstallTarget, origin: String) -> [(name: String, value: String)] {
        [
            ("grafana-version", target.serverVersion), ("grafana-os", target.machine.system),
            ("grafana-arch", target.machine.processor), ("User-Agent", "grafana \(target.serverVersion)"),
            ("grafana-origin", origin), ("Accept", "application/json"),
        ]
    }

    func versions(of id: String) async throws -> [ListedVersion] {
        let json = try await ask("/\(WebAddress.segment(id))/versions", id: id)
        guard let versions = GrafanaAnswer.versions(json) else { throw malformed("the versions of '\(id)'") }
        guard !versions.isEmpty else { throw PackageSources.notFound(id, location) }
        return versions
    }

    func offer(_ id: String, version: String?) async throws -> Offer {
        let choice = VersionChoice(id: id, versions: try await versions(of: id), target: target)
        let (version, build) = try choice.choose(version)
        let path = "/\(WebAddress.segment(id))/versions/\(WebAddress.segment(version))/download"
        return Offer(
            id: id, version: version, place: .web(address + path), hash: build.hash,
            size: build.size, source: .init(kind: "grafana", location: location, download: location + path))
    }

    func plugins() async throws -> [ListedPlugin] {
        guard let plugins = GrafanaAnswer.plugins(try await ask("/repo", id: nil)) else {
            throw malformed("the list of plugins")
        }
        return plugins
    }

    func newest(of ids: [String]) async throws -> [String: String] {
        var found: [String: String] = [:]
        var rest = ids.filter(PluginID.isValid)[...]
        while !rest.isEmpty {
            let slugs = rest.prefix(Self.batch).map(WebAddress.segment).joined(separator: ",")
            rest = rest.dropFirst(Self.batch)
            let json = try await ask("?slugIn=\(slugs)&includeDeprecated=true", id: nil)
            found.merge(GrafanaAnswer.newest(json)) { first, _ in first }
        }
        return found
    }

    private func ask(_ path: String, id: String?) async throws -> JSONValue {
        let headers = token.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
        let answer = try await client.get(address + path, headers: headers)
        let body = try? JSONValue(parsing: answer.body)
        switch answer.status {
        case 200:
            guard let body else { throw malformed("an answer") }
            return body
        case 404:
            if let id { throw PackageSources.notFound(id, location) }
            fallthrough
        case 400..<500:
            let words = body?["message"]?.string ?? "status \(answer.status)"
            throw CatalogError(
                .catalogRefused, "'\(location)': the catalogue refuses the request: \(words); see --repo and the token",
                catalogStatus: answer.status)
        default:
            throw CatalogError(
                .catalogUnreachable,
                "'\(location)': the catalogue has an error (status \(answer.status)); try again later",
                catalogStatus: answer.status)
        }
    }

    private func malformed(_ what: String) -> CatalogError {
        CatalogError(
            .catalogMalformed,
            "'\(location)': \(what) is not what a plugin catalogue answers; correct --repo (GF_PLUGIN_REPO)")
    }
}
