// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What is found when installed plugins are looked at.
public struct PluginInspection: Sendable, Equatable {
    /// Whether a plugin is as it should be.
    public enum Status: String, Sendable {
        case ok
        case warning
        case error
    }

    /// The plugin; empty for what concerns the folder.
    public var id: String
    /// Whether it is as it should be.
    public var status: Status
    /// The fact.
    public var fact: String
    /// What to do; empty when nothing is.
    public var remedy: String
}

extension PluginInstaller {
    /// Puts the kept version back if it is still trusted; see ``PluginChanges/rollBack(_:claim:publisher:)``.
    ///
    /// Its publisher is the plugin's again, when another one was accepted for the version that goes. The successor of its
    /// key stays, and nobody's version changes nothing.
    ///
    /// - Throws: ``CatalogError``, `.signatureRefused` for a kept version that is not trusted any more.
    public func rollBack(_ id: String, claim: FolderClaim) throws -> (from: String, to: LockedPlugin) {
        let changes = PluginChanges(folder: folder)
        var pin: String?
        if try folder.installed(id) != nil, try changes.kept(id) != nil {
            let tree = folder.keptTree(id)
            let publisher = try stage.judge.judge(folder: tree, facts: PackageFacts(folder: tree))
            let present = try PluginLockFile(of: folder).publishers[id]
            let isSame = present.map { stage.judge.isSamePublisher(publisher.pin, $0) } ?? false
            if publisher.fingerprint != nil, !isSame { pin = publisher.pin }
        }
        return try changes.rollBack(id, claim: claim, publisher: pin)
    }

    /// Judges an installed plugin anew: its signature, and whether its files are those that were installed.
    ///
    /// - Complexity: Reads every file.
    public func inspect(_ plugin: InstalledPlugin) throws -> PluginInspection {
        let id = plugin.facts.id
        let entry = try PluginLockFile(of: folder).plugins[id]
        do {
            let publisher = try stage.judge.judge(folder: plugin.folder, facts: plugin.facts)
            guard let entry, entry.version == plugin.facts.version else {
                return PluginInspection(
                    id: id, status: .warning, fact: "\(Self.words(publisher)); plugins.lock.json does not record it",
                    remedy: "install it with grafana-cli plugins install to record where it comes from")
            }
            guard try TreeHash.of(plugin.folder) == entry.treeHash else {
                return PluginInspection(
                    id: id, status: .error, fact: "its files are not those that were installed",
                    remedy:
                        "find out who changed them, then: grafana-cli plugins install \(id)@\(entry.version) --force")
            }
            return PluginInspection(id: id, status: .ok, fact: "\(Self.words(publisher)); no file changed", remedy: "")
        } catch let error as CatalogError {
            return PluginInspection(
                id: id, status: .error, fact: error.message,
                remedy: error.remedy.isEmpty ? "reinstall it, or remove it" : error.remedy)
        }
    }

    private static func words(_ publisher: LockedPlugin.Publisher) -> String {
        guard let fingerprint = publisher.fingerprint else { return "nobody signed it" }
        return "signed by \(publisher.owner ?? fingerprint)"
    }

    /// What is wrong with the plugins folder as a whole.
    public func inspectFolder() throws -> [PluginInspection] {
        var found: [PluginInspection] = []
        func note(_ id: String, _ status: PluginInspection.Status, _ fact: String, _ remedy: String) {
            found.append(PluginInspection(id: id, status: status, fact: fact, remedy: remedy))
        }
        guard access(folder.path, F_OK) == 0 else {
            note("", .warning, "'\(folder.path)' does not exist", "install a plugin, or correct --pluginsDir")
            return found
        }
        if access(folder.path, W_OK | X_OK) != 0 {
            note("", .warning, "'\(folder.path)' is not writable for this user", "run the commands as its owner")
        }
        if FileTree.kind(of: folder.journal) != nil || FileTree.kind(of: folder.staging) != nil {
            note(
                "", .warning, "an installation was cut off, or runs just now",
                "the next command that changes plugins clears it up")
        }
        let lock = try PluginLockFile(of: folder)
        let installed = try folder.installed()
        let ids = Set(installed.map(\.facts.id))
        for id in lock.plugins.keys.sorted() where !ids.contains(id) {
            note(id, .error, "plugins.lock.json records it and it is gone", "grafana-cli plugins install --locked")
        }
        for plugin in installed {
            for dependency in plugin.facts.dependencies where !ids.contains(dependency) && !coreIDs.contains(dependency)
            {
                note(
                    plugin.facts.id, .error, "it needs '\(dependency)', which is not installed",
                    "grafana-cli plugins install \(dependency)")
            }
            let root = plugin.folder
            do { _ = try PackageCheck(root: root, machine: stage.machine, subject: "'\(root)'").facts() } catch let
                error as CatalogError
            {
                note(plugin.facts.id, .error, error.message, "")
            }
        }
        for name in try FileTree.names(in: folder.path) where name != PluginsFolder.workspaceName {
            let path = "\(folder.path)/\(name)"
            let isPlugin = installed.contains { $0.folder == path }
            if FileTree.kind(of: path) == .folder, !isPlugin {
                note("", .warning, "'\(path)' has no plugin.json, or an id that another folder has", "move it away")
            }
        }
        return found
    }
}
