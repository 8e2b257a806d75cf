// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Which changes of the shared database this plugins folder has followed, by plugin.
struct AppliedRevisions: Sendable {
    let folder: PluginsFolder
    private(set) var revisions: [String: Int64] = [:]

    private var path: String { "\(folder.workspace)/applied.json" }

    init(folder: PluginsFolder) throws {
        self.folder = folder
        guard let bytes = try FileTree.read(path), let json = try? JSONValue(parsing: bytes) else { return }
        for (id, value) in json["revisions"]?.object ?? [:] { revisions[id] = value.int.map { Int64($0) } }
    }

    mutating func note(_ id: String, _ revision: Int64) throws {
        revisions[id] = revision
        var list = JSONObject()
        for (id, revision) in revisions.sorted(by: { $0.key < $1.key }) { list[id] = .integer(revision) }
        try folder.make()
        try FileTree.makeFolder(folder.workspace)
        let value: JSONValue = ["schemaVersion": 1, "revisions": .object(list)]
        try FileTree.replace(path, with: Array((JSONText.indented(value) + "\n").utf8), temporary: path + ".new")
    }
}
