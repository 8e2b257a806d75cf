// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import PluginABI

/// What is done to plugins that are installed already.
public struct PluginChanges: Sendable {
    /// The folder.
    public let folder: PluginsFolder

    /// Works on a folder.
    public init(folder: PluginsFolder) { self.folder = folder }

    /// The version that a roll-back would bring; nil when none is kept.
    public func kept(_ id: String) throws -> LockedPlugin? {
        guard FileTree.kind(of: folder.keptTree(id)) == .folder, let bytes = try FileTree.read(folder.keptEntry(id)),
            let json = try? JSONValue(parsing: bytes)
        else { return nil }
        return LockedPlugin(id: id, json: json)
    }

    /// Removes a plugin and its kept version.
    ///
    /// - Throws: ``CatalogError`` `.notInstalled` with Grafana's words, `.folderFailed`.
    public func remove(_ id: String, claim: FolderClaim) throws -> InstalledPlugin {
        let plugin = try present(id)
        try Self.checkNoLink(plugin)
        let way = try claim.makeStaging()
        // Also after a failure: what has got there is gone for good.
        defer { try? FileTree.remove(folder.staging) }
        try Switch(folder: folder).remove(id: id, target: plugin.folder, staged: "\(way)/removed")
        return plugin
    }

    /// Puts the kept version back; the present one is kept instead, so that a second roll-back undoes the first.
    ///
    /// - Parameter publisher: Whom the next version has to come from; nil when that does not change.
    /// - Returns: The version before and the version now.
    /// - Throws: ``CatalogError`` `.nothingKept`, `.notInstalled`, `.folderFailed`.
    public func rollBack(
        _ id: String, claim: FolderClaim, publisher: String? = nil
    ) throws -> (from: String, to: LockedPlugin) {
        let plugin = try present(id)
        try Self.checkNoLink(plugin)
        guard var kept = try kept(id) else {
            throw CatalogError(
                .nothingKept,
                "plugin '\(id)': no former version is kept; install the one that you want: grafana-cli plugins install "
                    + "\(id)@VERSION --allow-downgrade")
        }
        let lock = try PluginLockFile(of: folder)
        let now = try lock.plugins[id] ?? unrecorded(plugin)
        kept.folder = plugin.folder.split(separator: "/").last.map(String.init) ?? kept.folder
        kept.isPinned = now.isPinned
        try Switch(folder: folder).rollBack(from: now, to: kept, publisher: publisher)
        return (plugin.facts.version, kept)
    }

    /// Lets updates leave a plugin alone, or not any more.
    ///
    /// - Throws: ``CatalogError`` `.notInstalled`, `.folderFailed`.
    public func setPinned(_ isPinned: Bool, _ id: String, claim: FolderClaim) throws -> LockedPlugin {
        let plugin = try present(id)
        var lock = try PluginLockFile(of: folder)
        var entry = try lock.plugins[id] ?? unrecorded(plugin)
        entry.isPinned = isPinned
        lock.plugins[id] = entry
        try lock.save(to: folder)
        return entry
    }

    private static func checkNoLink(_ plugin: InstalledPlugin) throws {
        guard plugin.isLinked else { return }
        throw CatalogError(
            .folderFailed, "'\(plugin.folder)': it is a link to a folder elsewhere; remove the link by hand")
    }

    private func present(_ id: String) throws -> InstalledPlugin {
        try PluginID.check(id)
        let all = try folder.installed()
        guard let plugin = all.first(where: { $0.facts.id == id }) else {
            let hint = NearestID.nearest(to: id, among: all.map(\.facts.id)).map { "did you mean '\($0)'?" }
            throw CatalogError(
                .notInstalled, "plugin does not exist: '\(id)' is not in '\(folder.path)'",
                remedy: hint ?? "see what is there: grafana-cli plugins list")
        }
        return plugin
    }

    /// An entry for a plugin that was not put in place by this program.
    func unrecorded(_ plugin: InstalledPlugin) throws -> LockedPlugin {
        LockedPlugin(
            id: plugin.facts.id, version: plugin.facts.version,
            folder: plugin.folder.split(separator: "/").last.map(String.init) ?? plugin.facts.id, archiveHash: nil,
            treeHash: plugin.isLinked ? "" : (try? TreeHash.of(plugin.folder)) ?? "",
            publisher: .init(status: "unsigned", fingerprint: nil, owner: nil, type: nil),
            source: .init(kind: "folder", location: plugin.folder), permissions: plugin.facts.permissions,
            isPinned: false, installed: Date.now.ISO8601Format())
    }
}
