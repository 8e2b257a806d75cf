// SPDX-License-Identifier: Apache-2.0

/// What a plugin has to run on.
public struct InstallTarget: Sendable, Equatable {
    /// The machine.
    public var machine: Machine
    /// Such as `12.4.0`; catalogues leave out what does not run with it.
    public var serverVersion: String

    /// A machine and a server.
    public init(machine: Machine = .current, serverVersion: String) {
        self.machine = machine
        self.serverVersion = serverVersion
    }
}

/// One version of a plugin in a catalogue.
public struct ListedVersion: Sendable, Equatable {
    /// A build for one kind of machine.
    public struct Build: Sendable, Equatable {
        /// Lower-case SHA-256 of the archive; nil when the catalogue does not say.
        public var hash: String?
        /// The archive's bytes; nil when the catalogue does not say.
        public var size: UInt64?
        /// Where the archive is, absolute or below the catalogue; nil for the protocol's own place.
        var path: String?
    }

    /// The version as written.
    public var version: String
    /// Whether it runs with the server that asks.
    public var isCompatible: Bool
    /// By `linux-amd64` or `any`; empty: one archive for all.
    public var builds: [String: Build]

    /// The build for a machine; nil when there is none.
    func build(for machine: Machine) -> Build? {
        builds.isEmpty ? Build() : builds["any"] ?? builds[machine.description]
    }
}

/// One plugin in a catalogue.
public struct ListedPlugin: Sendable, Equatable {
    /// The id.
    public var id: String
    /// The display name; empty when the catalogue has none.
    public var name = ""
    /// What it does; empty when the catalogue has none.
    public var description = ""
    /// Who made it; empty when the catalogue does not say.
    public var author = ""
    /// The kind or the catalogue's category.
    public var category = ""
    /// Words to find it by.
    public var keywords: [String] = []
    /// Newest first.
    public var versions: [ListedVersion] = []

    /// A plugin with these versions, newest first.
    public init(id: String, versions: [ListedVersion] = []) {
        self.id = id
        self.versions = versions
    }

    /// The newest version that a target can take.
    public func newest(for target: InstallTarget) -> String? {
        versions.first { $0.isCompatible && $0.build(for: target.machine) != nil }?.version
    }
}

/// A package that can be fetched.
struct Offer: Sendable, Equatable {
    enum Place: Sendable, Equatable {
        case web(String)
        case file(String)
        case folder(String)
    }

    /// Nil when only the package itself can say.
    var id: String?
    var version: String?
    var place: Place
    var hash: String?
    var size: UInt64?
    var source: LockedPlugin.Source
    /// Who asks for it, for the headers.
    var isFromCatalogue: Bool { source.kind == "grafana" || source.kind == "catalog" }
}

/// Chooses a version of a plugin as Grafana does.
///
/// - SeeAlso: Grafana, `pkg/plugins/repo/version.go` and `errors.go`.
struct VersionChoice {
    let id: String
    let versions: [ListedVersion]
    let target: InstallTarget

    /// - Parameter requested: As the user wrote it; nil for the newest.
    /// - Throws: ``CatalogError`` with Grafana's words.
    func choose(_ requested: String?) throws -> (version: String, build: ListedVersion.Build) {
        let machine = target.machine
        let compatible = versions.filter(\.isCompatible)
        guard !compatible.isEmpty else {
            throw CatalogError(
                .serverNotSupported,
                "\(id) is not compatible with your Grafana version: \(target.serverVersion)", remedy: remedy)
        }
        guard let wanted = SemanticVersion.requested(requested) else {
            for version in compatible {
                if let build = version.build(for: machine) { return (version.version, build) }
            }
            throw CatalogError(
                .machineNotSupported,
                "\(id) is not compatible with your system architecture: \(machine)",
                remedy: "ask its author for a build")
        }
        guard let version = compatible.first(where: { $0.version == wanted }) else {
            throw CatalogError(
                .versionNotFound,
                "\(id) v\(wanted) either does not exist or is not supported on your system (\(machine.system))",
                remedy: remedy)
        }
        guard let build = version.build(for: machine) else {
            throw CatalogError(
                .versionNotSupported,
                "\(id) v\(wanted) is not supported on your system (\(machine))", remedy: remedy)
        }
        return (version.version, build)
    }

    private var remedy: String { "see which versions there are: grafana-cli plugins list-versions \(id)" }
}
