// SPDX-License-Identifier: Apache-2.0

extension PackageSources {
    /// The package that plugins.lock.json records.
    ///
    /// Its hash, its files and its publisher are known, so any place will do, but not every one may hear of it: what came
    /// from somewhere else is not looked for in Grafana's catalogue. The operator's own catalogues come first, which may
    /// need a password that is not recorded, or be a copy for a machine without a network; then the address it came from.
    ///
    /// - Throws: ``CatalogError``, `.lockFileInvalid` for one without an address that no catalogue has.
    func recorded(_ entry: LockedPlugin) async throws -> Offer {
        for repository in repositories where repository.isOwn {
            do {
                let offer = try await repository.offer(entry.id, version: entry.version)
                if offer.hash == nil || entry.archiveHash == nil || offer.hash == entry.archiveHash { return offer }
            } catch let error as CatalogError where Self.leavesOthers.contains(error.code) {}
        }
        if let other = repositories.first(where: { !$0.isOwn }), entry.source.kind == "grafana",
            // A mirror that is configured stands for Grafana's catalogue, but not the other way round.
            other.location == entry.source.location || !Self.isPublic(other.location)
        {
            return try await other.offer(entry.id, version: entry.version)
        }
        guard let download = entry.source.download else {
            throw CatalogError(
                .lockFileInvalid,
                "plugin '\(entry.id)': no catalogue here has its version \(entry.version), and the lock file has no address of "
                    + "it; name '\(entry.source.location)' with --catalog or --repo")
        }
        let place = WebAddress.localPath(download).map { Offer.Place.file($0) } ?? .web(download)
        var source = entry.source
        if WebAddress.isWeb(source.location) { source.location = WebAddress.withoutSecrets(source.location) }
        if WebAddress.isWeb(download) { source.download = WebAddress.withoutSecrets(download) }
        return Offer(id: entry.id, version: entry.version, place: place, hash: entry.archiveHash, source: source)
    }

    /// What is no reason not to look elsewhere.
    private static let leavesOthers: Set<CatalogError.Code> = [
        .pluginNotFound, .versionNotFound, .versionNotSupported, .machineNotSupported, .serverNotSupported,
        .catalogUnreachable,
    ]

    private static func isPublic(_ location: String) -> Bool { location.hasPrefix("https://grafana.com/") }
}
