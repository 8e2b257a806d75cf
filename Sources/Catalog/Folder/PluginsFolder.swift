// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A folder of plugins, and the place in it that the catalogue keeps for itself.
///
/// ```
/// plugins/
///   acme-sine-datasource/    what the server loads
///   plugins.lock.json        what is installed, from where, with which hashes
///   .catalog/                on the same file system, so that a plugin is switched by one rename; no loader looks here
///     lock  journal.json  catalogues.json  staging/…  kept/<id>/{tree,entry.json}
/// ```
public struct PluginsFolder: Sendable, Equatable {
    /// Without a slash at the end.
    public let path: String

    /// The name that the loader leaves out.
    public static let workspaceName = ".catalog"

    /// The name of the file that records what is installed.
    static let lockFileName = "plugins.lock.json"

    /// The folder need not exist yet.
    public init(path: String) {
        var path = path[...]
        while path.count > 1, path.last == "/" { path = path.dropLast() }
        self.path = String(path)
    }

    var workspace: String { "\(path)/\(Self.workspaceName)" }
    var lockFile: String { "\(path)/\(Self.lockFileName)" }
    var journal: String { "\(workspace)/journal.json" }
    var staging: String { "\(workspace)/staging" }
    var catalogues: String { "\(workspace)/catalogues.json" }
    /// New forms of files before they take the place of the old ones.
    var temporaries: [String] { [journal + ".new", newLockFile, newKept, newKeptEntry] }
    var newLockFile: String { "\(workspace)/\(Self.lockFileName).new" }
    var newKept: String { "\(workspace)/kept.new" }
    var newKeptEntry: String { "\(workspace)/entry.json.new" }
    func kept(_ id: String) -> String { "\(workspace)/kept/\(id)" }
    func keptTree(_ id: String) -> String { "\(kept(id))/tree" }
    func keptEntry(_ id: String) -> String { "\(kept(id))/entry.json" }

    /// Makes the folder and those above it.
    ///
    /// - Throws: ``CatalogError`` `.folderFailed`, also when something else is there.
    func make() throws {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            guard mkdir(made, 0o755) != 0, errno != EEXIST else { continue }
            let number = errno
            if access(made, F_OK) != 0 { throw CatalogError.system("make", made, number) }
        }
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw CatalogError(.folderFailed, "'\(path)': it is not a directory; choose another with --pluginsDir")
        }
    }

    /// The plugins that are there, by the name of their folder; a folder without a readable plugin.json is none.
    ///
    /// - Returns: Sorted by id; of two folders with one id, the first by name, as the loader takes it.
    public func installed() throws -> [InstalledPlugin] {
        guard access(path, F_OK) == 0 else { return [] }
        var found: [String: InstalledPlugin] = [:]
        for name in try FileTree.names(in: path) where name != Self.workspaceName {
            let folder = "\(path)/\(name)"
            var status = stat()
            guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                let facts = try? PackageFacts(folder: folder), found[facts.id] == nil
            else { continue }
            found[facts.id] = InstalledPlugin(
                facts: facts, folder: folder, isLinked: FileTree.kind(of: folder) == .link)
        }
        return found.values.sorted { $0.facts.id < $1.facts.id }
    }

    /// An installed plugin.
    public func installed(_ id: String) throws -> InstalledPlugin? { try installed().first { $0.facts.id == id } }
}

/// A plugin in the plugins folder.
public struct InstalledPlugin: Sendable, Equatable {
    /// What its plugin.json says.
    public var facts: PackageFacts
    /// Its folder, with the path of the plugins folder.
    public var folder: String
    /// Whether that is a link to somewhere else, as plugin authors make.
    public var isLinked: Bool
}
