// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Finds every plugin.json below one folder, by Grafana's rules.
///
/// - `node_modules` is not entered.
/// - In a folder with a sub-folder `dist` only `dist` is entered; files beside it do not count.
/// - Only the exact name `plugin.json` counts.
/// - Symlinks are followed; meeting the target of one twice ends the walk.
/// - SeeAlso: Grafana, `pkg/plugins/manager/sources/source_local_disk.go`, `pkg/util/filepath.go`.
struct PluginWalk {
    /// The folders that hold a plugin.json, a parent before its sub-folders.
    private(set) var folders: [String] = []
    /// What could not be read on the way.
    private(set) var refusals: [PluginRefusal] = []
    private var symlinkTargets: Set<String> = []

    init(root: String) {
        do {
            guard try FileSystem.requiredStatus(of: root).isFolder else {
                throw PluginRefusal.folder(FileError(operation: "list", path: root, number: ENOTDIR), folder: root)
            }
            try enter(
                root, level: 0, isSymlink: FileSystem.status(of: root, followingSymlinks: false)?.isSymlink == true)
        } catch let error as FileError {
            refusals.append(.folder(error, folder: root))
        } catch let refusal as PluginRefusal {
            folders = []
            refusals.append(refusal)
        } catch {
            folders = []
        }
        folders.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// - Throws: ``PluginRefusal`` when the whole walk has to end.
    private mutating func enter(_ folder: String, level: Int, isSymlink: Bool) throws {
        guard level < FolderListing.deepestLevel else { throw PluginRefusal.tooDeep(folder: folder) }
        if isSymlink { try follow(folder) }
        let names: [String]
        do {
            names = try FileSystem.names(in: folder)
        } catch {
            refusals.append(.folder(error, folder: folder))
            return
        }
        if names.contains("dist"), FileSystem.status(of: FilePath.join(folder, "dist"))?.isFolder == true {
            try visit("dist", in: folder, level: level)
            return
        }
        for name in names { try visit(name, in: folder, level: level) }
    }

    private mutating func visit(_ name: String, in folder: String, level: Int) throws {
        let path = FilePath.join(folder, name)
        guard let status = FileSystem.status(of: path) else { return }
        if status.isFile, name == "plugin.json" {
            folders.append(folder)
        } else if status.isFolder, name != "node_modules" {
            let isSymlink = FileSystem.status(of: path, followingSymlinks: false)?.isSymlink == true
            try enter(path, level: level + 1, isSymlink: isSymlink)
        }
    }

    private mutating func follow(_ folder: String) throws {
        guard let target = FileSystem.realPath(folder) else { return }
        guard symlinkTargets.insert(target).inserted else {
            throw PluginRefusal(
                .symlinkLoop, pluginID: nil, folder: folder, found: "a second symlink to \(target)",
                expected: "each target once", message: "the symlinks of the folder form a loop",
                remedy: "remove the symlink '\(folder)'")
        }
    }
}
