// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The files of a plugin that run on the server: libraries and executables, for whatever platform.
struct PluginBinaries: Equatable {
    /// `library` of plugin.json: the files are `<library>_<os>_<arch>.so`; empty for none.
    var library: String
    /// `executable` of plugin.json: the files are `<executable>_<os>_<arch>`, maybe `.exe`; empty for none.
    var executable: String

    /// Whether a file is one of them, also by a symlink.
    ///
    /// - Parameters:
    ///   - place: An existing file inside the folder.
    ///   - root: The plugin's folder.
    func contain(_ place: String, in root: String) -> Bool {
        if matches(Self.path(of: place, below: root)) { return true }
        guard let place = Self.realPath(place), let root = Self.realPath(root) else { return true }
        return matches(Self.path(of: place, below: root))
    }

    /// Whether a path relative to the plugin's folder is that of a library or an executable.
    func matches(_ path: String) -> Bool {
        if let rest = Self.rest(of: path, after: library) {
            if rest.isEmpty || rest.hasSuffix(".so") || rest.contains(".so.") { return true }
        }
        guard var rest = Self.rest(of: path, after: executable) else { return false }
        if rest.hasSuffix(".exe") { rest = rest.dropLast(4) }
        return rest.isEmpty || rest.hasPrefix("_") && !rest.contains(".")
    }

    private static func rest(of path: String, after name: String) -> Substring? {
        var name = name[...]
        while name.hasPrefix("./") { name = name.dropFirst(2) }
        guard !name.isEmpty, path.hasPrefix(name) else { return nil }
        return path.dropFirst(name.count)
    }

    private static func path(of place: String, below root: String) -> String {
        guard place.hasPrefix(root) else { return place }
        return String(place.dropFirst(root.count).drop { $0 == "/" })
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}
