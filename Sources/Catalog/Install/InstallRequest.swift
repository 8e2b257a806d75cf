// SPDX-License-Identifier: Apache-2.0

/// What is to be installed.
public enum InstallSubject: Sendable, Equatable {
    /// From a catalogue; without a version the newest.
    case plugin(id: String, version: String?)
    /// A zip archive or a folder on this machine, or the address of an archive; with an id or a version it has to be that.
    case package(String, expectedHash: String? = nil, id: String? = nil, version: String? = nil)
    /// Exactly what plugins.lock.json records.
    case locked(LockedPlugin)
}

/// What may happen when a plugin is installed.
public struct InstallOptions: Sendable, Equatable {
    /// Whether an older version may take the place of a newer one.
    public var allowsDowngrade = false
    /// Whether another publisher than the one before is fine.
    public var allowsNewPublisher = false
    /// Whether the same version is put in place again.
    public var reinstalls = false
    /// Whether everything is done except the switch.
    public var isDryRun = false
    /// The lock file that decides, by id; empty: catalogues do, and pins count.
    var locked: [String: LockedPlugin] = [:]

    /// The safe choices.
    public init() {}
}

/// What an administrator agreed to when he asked a server for an installation.
public struct InstallConsent: Sendable, Equatable {
    /// Lines of ``PermissionQuestion/wanted`` that an update may ask for.
    public var permissions: Set<String> = []
    /// Whether another publisher than the one before is fine.
    public var acceptsPublisher = false
    /// Whether an older version may take the place of a newer one.
    public var allowsDowngrade = false

    /// To nothing but the installation itself.
    public init() {}
}

/// What happens during an installation.
public enum InstallEvent: Sendable, Equatable {
    /// A version was chosen.
    case resolved(id: String, version: String, source: String)
    /// Bytes of an archive have come; the whole is nil when nobody knows.
    case downloading(name: String, bytes: UInt64, whole: UInt64?)
    /// Bytes have been written.
    case unpacking(id: String, bytes: UInt64, whole: UInt64)
    /// The signature was judged.
    case verified(id: String, publisher: LockedPlugin.Publisher)
    /// Permissions are asked for that were not granted before.
    case asking(PermissionQuestion)
    /// A plugin that another one needs is installed first.
    case dependency(id: String, of: String)
    /// The plugin is in place.
    case installed(id: String, version: String, folder: String, before: String?)
    /// Something that the operator should know.
    case warning(String)
}

/// What a plugin asks for that was not granted before.
public struct PermissionQuestion: Sendable, Equatable {
    /// The plugin.
    public var id: String
    /// The version that asks.
    public var version: String
    /// A line each.
    public var wanted: [String]
    /// Whether an older version was granted less.
    public var isUpdate: Bool

    /// A question.
    public init(id: String, version: String, wanted: [String], isUpdate: Bool) {
        self.id = id
        self.version = version
        self.wanted = wanted
        self.isUpdate = isUpdate
    }
}

/// Who is told and asked during an installation.
public struct InstallObserver: Sendable {
    /// Gets what happens; called from any thread, often.
    public var event: @Sendable (InstallEvent) -> Void
    /// Says whether the permissions are granted.
    public var approve: @Sendable (PermissionQuestion) async throws -> Bool
    /// Returns when the server runs the plugin, or throws what is wrong: then the switch is undone.
    public var confirm: @Sendable (InstalledPlugin) async throws -> Void

    /// By default nobody is told, nothing is granted and no server is asked.
    public init(
        event: @escaping @Sendable (InstallEvent) -> Void = { _ in },
        approve: @escaping @Sendable (PermissionQuestion) async throws -> Bool = { _ in false },
        confirm: @escaping @Sendable (InstalledPlugin) async throws -> Void = { _ in }
    ) {
        self.event = event
        self.approve = approve
        self.confirm = confirm
    }
}

/// What an installation did.
public struct InstallOutcome: Sendable, Equatable {
    /// One plugin that was put in place, or would have been in a dry run.
    public struct Plugin: Sendable, Equatable {
        /// Its entry of plugins.lock.json.
        public var entry: LockedPlugin
        /// The version before; nil for a new plugin.
        public var before: String?
    }

    /// Those that others need come first.
    public var plugins: [Plugin] = []

    /// Nothing was done.
    public init() {}
}
