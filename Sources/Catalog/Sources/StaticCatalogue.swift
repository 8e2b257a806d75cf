// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Signing
import Synchronization

/// A folder or a web server with archives and a signed index of them.
///
/// The index is accepted when a key of the trust store signed it, the same key as the last time, before its date, and
/// with a serial that is not below the last one that was seen.
final class StaticCatalogue: Repository {
    /// What is remembered, recorded and told; has no password.
    let location: String
    let isOwn = true
    /// What is asked, as the operator wrote it.
    private let address: String
    private let client: WebClient
    private let target: InstallTarget
    private let store: TrustStore
    private let memory: CatalogueMemory
    private let known = Mutex<CatalogIndex?>(nil)

    init(location: String, client: WebClient, target: InstallTarget, store: TrustStore, memory: CatalogueMemory) {
        let isRelative = WebAddress.localPath(location) == location && !location.hasPrefix("/")
        // The same folder under every working directory, in what is remembered and recorded.
        let absolute = isRelative ? "\(FileManager.default.currentDirectoryPath)/\(location)" : location
        var location = absolute[...]
        while location.count > 1, location.last == "/" { location = location.dropLast() }
        address = String(location)
        self.location = WebAddress.isWeb(address) ? WebAddress.withoutSecrets(address) : address
        self.client = client
        self.target = target
        self.store = store
        self.memory = memory
    }

    func versions(of id: String) async throws -> [ListedVersion] {
        let index = try await index()
        guard let plugin = index.plugins.first(where: { $0.listed.id == id }) else {
            throw PackageSources.notFound(id, location, known: index.plugins.map(\.listed.id))
        }
        return versions(of: plugin)
    }

    func plugins() async throws -> [ListedPlugin] {
        try await index().plugins.map { plugin in
            var listed = plugin.listed
            listed.versions = versions(of: plugin)
            return listed
        }
    }

    func newest(of ids: [String]) async throws -> [String: String] {
        let wanted = Set(ids)
        var found: [String: String] = [:]
        for plugin in try await plugins() where wanted.contains(plugin.id) {
            found[plugin.id] = plugin.newest(for: target)
        }
        return found
    }

    func offer(_ id: String, version: String?) async throws -> Offer {
        let choice = VersionChoice(id: id, versions: try await versions(of: id), target: target)
        let (version, build) = try choice.choose(version)
        let path = build.path ?? ""
        let isLocal = WebAddress.localPath(location)
        let remote = path.split(separator: "/").map { WebAddress.segment(String($0)) }.joined(separator: "/")
        let place: Offer.Place =
            isLocal.map { .file("\($0)/\(path)") } ?? .web(WebAddress.join(address, remote))
        let download = isLocal == nil ? WebAddress.join(location, remote) : "\(location)/\(path)"
        return Offer(
            id: id, version: version, place: place, hash: build.hash, size: build.size,
            source: .init(kind: "catalog", location: location, download: download))
    }

    private func versions(of plugin: CatalogIndex.Plugin) -> [ListedVersion] {
        plugin.versions.map { version in
            let range = VersionRange(version.serverRange)
            return ListedVersion(
                version: version.version, isCompatible: range?.contains(target.serverVersion) ?? true,
                builds: version.builds)
        }
    }

    private func index() async throws -> CatalogIndex {
        if let index = known.withLock({ $0 }) { return index }
        let bytes = try await fetch()
        let statement: SignedStatement
        do throws(SigningError) {
            statement = try SignedStatement(opening: bytes, kind: CatalogIndex.kind, store: store, now: TrustJudge.now)
        } catch {
            throw CatalogError(
                .catalogUntrusted,
                "'\(location)': its index \(CatalogIndex.fileName) is not accepted: \(error.message)",
                remedy: error.code == .statementUntrusted ? "grafana-sign trust add KEY, when you trust its owner" : "")
        }
        let index = try CatalogIndex(statement.text, location: location)
        guard index.expires > TrustJudge.now else {
            throw CatalogError(
                .catalogExpired,
                "'\(location)': its index is past its date; its owner has to build it again, or it is an old copy")
        }
        try memory.accept(index.serial, signer: statement.signer, store: store, of: location, address: address)
        let offered = Self.offered(index, by: statement.signer)
        known.withLock { $0 = offered }
        return offered
    }

    /// What a key may offer: the plugins that it may sign.
    ///
    /// A publisher's key makes no catalogue of other publishers' plugins.
    private static func offered(_ index: CatalogIndex, by signer: TrustedKey) -> CatalogIndex {
        var index = index
        index.plugins.removeAll { !signer.maySign(plugin: $0.listed.id) }
        return index
    }

    private func fetch() async throws -> [UInt8] {
        if let folder = WebAddress.localPath(location) {
            guard let bytes = try FileTree.read("\(folder)/\(CatalogIndex.fileName)", limit: CatalogIndex.largest)
            else {
                throw CatalogError(
                    .catalogUnreachable,
                    "'\(location)': there is no \(CatalogIndex.fileName); make it with grafana-cli catalog build, or "
                        + "correct --catalog")
            }
            return bytes
        }
        let url = WebAddress.join(address, CatalogIndex.fileName)
        let answer = try await client.get(url, headers: [("Accept", "text/plain, */*")], limit: CatalogIndex.largest)
        guard answer.status == 200 else {
            throw CatalogError(
                .catalogUnreachable,
                "'\(WebAddress.withoutSecrets(url))': the server answers \(answer.status); correct --catalog or the server",
                catalogStatus: answer.status)
        }
        return answer.body
    }
}
