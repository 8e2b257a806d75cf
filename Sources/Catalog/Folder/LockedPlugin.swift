// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// One installed plugin as plugins.lock.json records it.
public struct LockedPlugin: Sendable, Equatable {
    /// Where a package came from.
    public struct Source: Sendable, Equatable {
        /// `grafana`, `catalog`, `url`, `file` or `folder`.
        public var kind: String
        /// The catalogue's address, the URL or the path.
        public var location: String
        /// The address of the archive itself, when there is one.
        public var download: String?
    }

    /// Who signed a package.
    public struct Publisher: Sendable, Equatable {
        /// `valid` or `unsigned`; nothing else gets installed.
        public var status: String
        /// The key's fingerprint; nil for an unsigned package.
        public var fingerprint: String?
        /// The key's owner, as the trust store names it.
        public var owner: String?
        /// `grafana`, `commercial`, `community`, `private` or `private-glob`.
        public var type: String?

        /// What the pin of a publisher compares.
        var pin: String { fingerprint ?? Self.unsignedPin }
        /// The pin of those whom nobody signed.
        static let unsignedPin = "unsigned"
    }

    /// The plugin's id.
    public var id: String
    /// The version.
    public var version: String
    /// The name of its folder in the plugins folder.
    public var folder: String
    /// The archive's SHA-256; nil for one that was installed from a folder.
    public var archiveHash: String?
    /// See `TreeHash`.
    public var treeHash: String
    /// Who signed it.
    public var publisher: Publisher
    /// Where it came from.
    public var source: Source
    /// What it was allowed to ask for.
    public var permissions: [String]
    /// Whether updates leave it alone.
    public var isPinned: Bool
    /// When it was put in place, RFC 3339.
    public var installed: String

    init?(id: String, json: JSONValue) {
        guard PluginID.isValid(id), let version = json["version"]?.string, let folder = json["folder"]?.string,
            !folder.isEmpty, folder != ".", folder != "..", !folder.utf8.contains(UInt8(ascii: "/")),
            folder != PluginsFolder.workspaceName, let treeHash = json["treeHash"]?.string,
            let source = json["source"], let kind = source["kind"]?.string,
            let location = source["location"]?.string, let signature = json["signature"],
            let status = signature["status"]?.string
        else { return nil }
        self.id = id
        self.version = version
        self.folder = folder
        archiveHash = json["archiveHash"]?.string
        self.treeHash = treeHash
        publisher = Publisher(
            status: status, fingerprint: signature["fingerprint"]?.string, owner: signature["owner"]?.string,
            type: signature["type"]?.string)
        self.source = Source(kind: kind, location: location, download: source["download"]?.string)
        permissions = (json["permissions"]?.array ?? []).compactMap(\.string)
        isPinned = json["pinned"]?.bool ?? false
        installed = json["installed"]?.string ?? ""
    }

    init(
        id: String, version: String, folder: String, archiveHash: String?, treeHash: String, publisher: Publisher,
        source: Source, permissions: [String], isPinned: Bool, installed: String
    ) {
        self.id = id
        self.version = version
        self.folder = folder
        self.archiveHash = archiveHash
        self.treeHash = treeHash
        self.publisher = publisher
        self.source = source
        self.permissions = permissions
        self.isPinned = isPinned
        self.installed = installed
    }

    /// As plugins.lock.json has it.
    public var json: JSONValue {
        var source: JSONObject = ["kind": .string(self.source.kind), "location": .string(self.source.location)]
        if let download = self.source.download { source["download"] = .string(download) }
        var signature: JSONObject = ["status": .string(publisher.status)]
        if let fingerprint = publisher.fingerprint { signature["fingerprint"] = .string(fingerprint) }
        if let owner = publisher.owner { signature["owner"] = .string(owner) }
        if let type = publisher.type { signature["type"] = .string(type) }
        var object: JSONObject = ["version": .string(version), "folder": .string(folder)]
        if let archiveHash { object["archiveHash"] = .string(archiveHash) }
        object["treeHash"] = .string(treeHash)
        object["signature"] = .object(signature)
        object["source"] = .object(source)
        object["permissions"] = .array(permissions.map { .string($0) })
        object["pinned"] = .bool(isPinned)
        object["installed"] = .string(installed)
        return .object(object)
    }
}
