// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

private let limits: ArchiveLimits = {
    var limits = ArchiveLimits()
    (limits.entries, limits.totalBytes, limits.ratioFreeBytes) = (1000, 4 << 20, 1 << 20)
    return limits
}()

/// Reads bytes as an archive and unpacks what it plans to.
///
/// Whatever is planned stays below the folder, no path is there twice, and no file is larger than it says.
@Sendable func fuzzArchive(_ bytes: [UInt8]) {
    let path = "/tmp/fuzz-archive-\(getpid()).zip"
    guard (try? FileTree.replace(path, with: bytes, temporary: path + ".new")) != nil else {
        fatalError("'\(path)' cannot be written")
    }
    guard let archive = try? ZipArchive(path: path, subject: "it"),
        let entries = try? archive.entries(limit: limits.entries),
        let plan = try? UnpackPlan(entries, archiveBytes: archive.fileBytes, subject: "it", limits: limits)
    else { return }
    for path in plan.folders + plan.files.map(\.path) {
        precondition(!path.hasPrefix("/") && !path.utf8.contains(0) && !path.utf8.contains(0x5C), path)
        precondition(
            !path.split(separator: "/", omittingEmptySubsequences: false).contains { ["", ".", ".."].contains($0) })
    }
    let names = plan.files.map { $0.path.lowercased() } + plan.folders.map { $0.lowercased() }
    precondition(Set(names).count == names.count, "a path is there twice")
    var total: UInt64 = 0
    for file in plan.files {
        var size: UInt64 = 0
        try? archive.read(file.entry) { size += UInt64($0.count) }
        precondition(size <= file.entry.size, "'\(file.path)' is larger than it says")
        total += size
    }
    precondition(total <= limits.totalBytes)
}

/// Reads bytes as the index of a static catalogue; what is accepted must be read again from what we write.
@Sendable func fuzzCatalogIndex(_ bytes: [UInt8]) {
    guard let index = try? CatalogIndex(bytes, location: "it") else { return }
    let again = try? CatalogIndex(Array(index.json.encoded().utf8), location: "it")
    precondition(again == index, "our own index differs")
}

/// Reads bytes as every kind of answer of Grafana's catalogue, and chooses a version.
@Sendable func fuzzCatalogAnswer(_ bytes: [UInt8]) {
    guard let json = try? JSONValue(parsing: bytes) else { return }
    let target = InstallTarget(serverVersion: "12.4.0")
    for plugin in GrafanaAnswer.plugins(json) ?? [] { _ = plugin.newest(for: target) }
    _ = GrafanaAnswer.newest(json)
    guard let versions = GrafanaAnswer.versions(json) else { return }
    for version in [nil, versions.first?.version] {
        _ = try? VersionChoice(id: "acme-a-panel", versions: versions, target: target).choose(version)
    }
}

/// Reads bytes as an entry of plugins.lock.json; what is accepted must be read again from what we write.
@Sendable func fuzzLockFile(_ bytes: [UInt8]) {
    guard let json = try? JSONValue(parsing: bytes), let plugin = LockedPlugin(id: "acme-a-panel", json: json) else {
        return
    }
    precondition(!plugin.folder.contains("/") && plugin.folder != PluginsFolder.workspaceName)
    let text = JSONText.indented(plugin.json)
    let again = (try? JSONValue(parsing: text)).flatMap { LockedPlugin(id: "acme-a-panel", json: $0) }
    precondition(again == plugin, "our own entry differs")
}

/// Reads bytes as a plugin.json.
@Sendable func fuzzPackageFacts(_ bytes: [UInt8]) {
    guard let facts = try? PackageFacts(pluginJSON: bytes, subject: "it") else { return }
    precondition(PluginID.isValid(facts.id) && !facts.version.contains("/"))
}

/// Reads a range and a version, a line each.
@Sendable func fuzzVersionRange(_ bytes: [UInt8]) {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", maxSplits: 1).map(String.init)
    guard lines.count == 2 else { return }
    _ = VersionRange(lines[0])?.contains(lines[1])
    precondition(
        !(SemanticVersion.isOlder(lines[0], than: lines[1]) && SemanticVersion.isOlder(lines[1], than: lines[0])))
}
