// SPDX-License-Identifier: Apache-2.0
import Crypto
import Glibc

/// A package that is unpacked, checked and ready to be put in place.
struct StagedPackage: Sendable {
    var facts: PackageFacts
    /// Its folder, on the file system of the plugins folder.
    var tree: String
    var archiveHash: String?
    var treeHash: String
    var publisher: LockedPlugin.Publisher
    var source: LockedPlugin.Source
    /// Why it is here; for the id of a plugin that needs it.
    var subject: InstallSubject
}

/// Brings a package into the staging folder: fetch, hash, unpack, check, judge.
struct PackageStage {
    let client: WebClient
    let judge: any PackageJudge
    let machine: Machine
    let limits: ArchiveLimits
    /// `Authorization` for addresses below the catalogue's own; nil for none.
    let token: (base: String, value: String)?

    func stage(
        _ offer: Offer, subject: InstallSubject, in staging: String, events: @escaping @Sendable (InstallEvent) -> Void
    ) async throws -> StagedPackage {
        let tree = "\(staging)/tree"
        let name = offer.id ?? Self.shown(offer.place)
        var archiveHash: String?
        switch offer.place {
        case .folder(let path):
            try await Blocking.run { stop in try FolderCopy(from: path, to: tree, limits: limits).run(stop.check) }
        case .web, .file:
            let archive = "\(staging)/package.zip"
            archiveHash = try await fetch(offer, to: archive, name: name, events)
            let id = name
            try await Blocking.run { stop in
                try unpack(archive, subject: Self.shown(offer.place), into: tree) { bytes, whole in
                    try stop.check()
                    events(.unpacking(id: id, bytes: bytes, whole: whole))
                }
                try FileTree.remove(archive)
            }
        }
        let hash = archiveHash
        return try await Blocking.run { stop in
            try check(tree, offer, subject: subject, archiveHash: hash, stop: stop, events: events)
        }
    }

    private static func shown(_ place: Offer.Place) -> String {
        switch place {
        case .web(let url): "'\(WebAddress.withoutSecrets(url))'"
        case .file(let path), .folder(let path): "'\(path)'"
        }
    }

    private func fetch(
        _ offer: Offer, to archive: String, name: String, _ events: @escaping @Sendable (InstallEvent) -> Void
    ) async throws -> String {
        switch offer.place {
        case .web(let url):
            let mayAuthorize = token.map { url.hasPrefix($0.base + "/") } ?? false
            let download = Download(
                client: client, url: url, path: archive, expectedHash: offer.hash, expectedSize: offer.size,
                authorization: mayAuthorize ? token?.value : nil)
            return try await download.run { events(.downloading(name: name, bytes: $0, whole: $1)) }
        case .file(let path), .folder(let path):
            let hash = try await Blocking.run { stop in try FileCopy.copy(path, to: archive, stop.check) }
            if let expected = offer.hash, expected.lowercased() != hash {
                throw Download.mismatch(expected: expected, url: path, computed: hash)
            }
            return hash
        }
    }

    private func unpack(
        _ path: String, subject: String, into tree: String, progress: (UInt64, UInt64) throws -> Void
    ) throws {
        let archive = try ZipArchive(path: path, subject: subject)
        let entries = try archive.entries(limit: limits.entries)
        let plan = try UnpackPlan(entries, archiveBytes: archive.fileBytes, subject: subject, limits: limits)
        guard mkdir(tree, 0o755) == 0 else { throw CatalogError.system("make", tree, errno) }
        try Unpacker(archive: archive, plan: plan).unpack(into: tree) { try progress($0, plan.totalBytes) }
    }

    private func check(
        _ tree: String, _ offer: Offer, subject: InstallSubject, archiveHash: String?, stop: Blocking.StopFlag,
        events: @Sendable (InstallEvent) -> Void
    ) throws -> StagedPackage {
        guard chmod(tree, 0o755) == 0 else { throw CatalogError.system("change", tree, errno) }
        let name = Self.shown(offer.place)
        let facts = try PackageCheck(root: tree, machine: machine, subject: name).facts()
        if let id = offer.id, id != facts.id {
            throw CatalogError(
                .packageDiffers, "\(name): it is '\(facts.id)', not '\(id)'; tell the catalogue's owner")
        }
        if let version = offer.version, version != facts.version {
            // Grafana only logs this; here the lock file and the downgrade guard depend on it.
            throw CatalogError(
                .packageDiffers,
                "\(name): it is version '\(facts.version)', not '\(version)'; tell the catalogue's owner")
        }
        try stop.check()
        let publisher = try judge.judge(folder: tree, facts: facts)
        events(.verified(id: facts.id, publisher: publisher))
        let treeHash = try TreeHash.of(tree, progress: stop.check)
        return StagedPackage(
            facts: facts, tree: tree, archiveHash: archiveHash, treeHash: treeHash, publisher: publisher,
            source: offer.source, subject: subject)
    }
}
