// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Lists the files of one plugin as its signature counts them.
///
/// A symlink to a file inside the folder counts under its own name, a symlink to a folder is not entered, and a symlink
/// that leaves the folder is an error.
/// - SeeAlso: Grafana, `pkg/plugins/localfiles.go`.
enum FolderListing {
    /// More levels than any package has; a bound on hostile ones.
    static let deepestLevel = 64

    /// - Throws: ``PluginRefusal`` without a plugin id.
    static func files(in root: String) throws(PluginRefusal) -> Set<String> {
        var files: Set<String> = []
        guard let real = FileSystem.realPath(root) else {
            throw .folder(FileError(operation: "list", path: root, number: ENOENT), folder: root)
        }
        try collect(root: root, realRoot: real, prefix: "", level: 0, into: &files)
        return files
    }

    private static func collect(
        root: String, realRoot: String, prefix: String, level: Int, into files: inout Set<String>
    ) throws(PluginRefusal) {
        guard level < deepestLevel else { throw .tooDeep(folder: FilePath.join(root, prefix)) }
        let names: [String]
        do {
            names = try FileSystem.names(in: prefix.isEmpty ? root : FilePath.join(root, prefix))
        } catch {
            throw .folder(error, folder: root)
        }
        for name in names {
            let relative = prefix.isEmpty ? name : prefix + "/" + name
            let full = FilePath.join(root, relative)
            guard let status = FileSystem.status(of: full, followingSymlinks: false) else { continue }
            if status.isFolder {
                try collect(root: root, realRoot: realRoot, prefix: relative, level: level + 1, into: &files)
            } else if status.isFile {
                files.insert(relative)
            } else if status.isSymlink {
                try addSymlink(full, relative: relative, root: root, realRoot: realRoot, into: &files)
            }
        }
    }

    /// What below a folder is neither a file nor a folder nor a link to one.
    ///
    /// A pipe, a device, a link to nothing, or what has a name that is not UTF-8: no manifest can vouch for it.
    ///
    /// - Returns: the first by the order of the walk; nil when there is none.
    static func irregular(in root: String) -> String? {
        var open = [(path: root, level: 0)]
        while let (folder, level) = open.popLast() {
            guard level < deepestLevel, let listing = try? FileSystem.listing(of: folder) else { continue }
            if let name = listing.unreadable { return FilePath.join(folder, name) }
            for name in listing.names {
                let full = FilePath.join(folder, name)
                guard let status = FileSystem.status(of: full, followingSymlinks: false) else { continue }
                if status.isFolder {
                    open.append((full, level + 1))
                } else if status.isSymlink {
                    guard let target = FileSystem.status(of: full), target.isFile || target.isFolder else {
                        return full
                    }
                } else if !status.isFile {
                    return full
                }
            }
        }
        return nil
    }

    private static func addSymlink(
        _ full: String, relative: String, root: String, realRoot: String, into files: inout Set<String>
    ) throws(PluginRefusal) {
        guard let target = FileSystem.realPath(full) else { return }
        guard FilePath.isInside(target, folder: realRoot) else {
            throw PluginRefusal(
                .fileOutsideFolder, pluginID: nil, folder: root, found: target, expected: "a file inside \(realRoot)",
                message: "the symlink '\(relative)' leaves the plugin's folder",
                remedy: "replace the symlink by a copy of the file, or remove it")
        }
        if FileSystem.status(of: full)?.isFile == true { files.insert(relative) }
    }
}

extension PluginRefusal {
    /// A folder that could not be searched.
    static func folder(_ error: FileError, folder: String) -> PluginRefusal {
        let isMissing = error.isMissing
        return PluginRefusal(
            isMissing ? .folderMissing : .folderUnreadable, pluginID: nil, folder: folder, found: error.reason,
            expected: "a folder that the server may read",
            message: isMissing ? "'\(error.path)' does not exist" : "'\(error.path)' cannot be read",
            remedy: isMissing
                ? "create it, or correct the path in [paths] plugins or [plugin.<id>] path"
                : "give the server's user the right to read it: chmod -R a+rX '\(error.path)'")
    }

    /// A folder with more levels than ``FolderListing/deepestLevel``.
    static func tooDeep(folder: String) -> PluginRefusal {
        PluginRefusal(
            .folderTooDeep, pluginID: nil, folder: folder, found: "more than \(FolderListing.deepestLevel) levels",
            expected: "at most \(FolderListing.deepestLevel) levels", message: "the folder is nested too deeply",
            remedy: "remove the folder, or move the plugin out of it")
    }
}
