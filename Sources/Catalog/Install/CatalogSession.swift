// SPDX-License-Identifier: Apache-2.0
public import Signing

/// Everything that an installation depends on.
public struct CatalogConfiguration: Sendable {
    /// What is trusted.
    public struct Trust: Sendable {
        /// Reads the trust store, anew for each session.
        public var source: @Sendable () throws(SigningError) -> TrustStore = { () throws(SigningError) in
            try .builtIn()
        }
        /// Whether any unsigned plugin may be installed.
        public var allowsUnsigned = false
        /// Ids that may be installed although nobody signed them.
        public var unsignedIDs: Set<String> = []
        /// The address of the server, for plugins that are signed for one; empty when it is not known.
        public var rootURL = ""

        /// Grafana's key, and nothing unsigned.
        public init() {}

        /// Trusts what a folder says, from now on.
        public mutating func use(folder: String) {
            source = { () throws(SigningError) in try TrustFolder(folder).load(now: TrustJudge.now) }
        }
    }

    /// The plugins folder.
    public var folder: PluginsFolder
    /// The base of Grafana's catalogue; nil for none.
    public var grafanaBase: String?
    /// Static catalogues, asked first.
    public var catalogs: [String] = []
    /// The token that Grafana's catalogue asks for.
    public var token: String?
    /// Whether the certificates of servers are checked.
    public var verifiesTLS = true
    /// How long an answer may take, and how long a download may stand still.
    public var patience: Duration = .seconds(30)
    /// What plugins have to run on.
    public var target: InstallTarget
    /// Who asks: `cli` or `api`.
    public var origin = "cli"
    /// Plugins that are part of the server.
    public var coreIDs: Set<String> = []
    /// What is trusted.
    public var trust = Trust()
    /// What an archive may be at most.
    public var limits = ArchiveLimits()

    /// A folder and a target, and no catalogue.
    public init(folder: PluginsFolder, target: InstallTarget) {
        self.folder = folder
        self.target = target
    }
}

/// Catalogues and an installer that share their connections.
public struct CatalogSession: Sendable {
    /// Installs into the folder of the configuration.
    public let installer: PluginInstaller
    /// The catalogues.
    public var sources: PackageSources { installer.sources }

    /// Runs work with the catalogues; their connections are closed afterwards.
    ///
    /// - Throws: What the work throws, and ``CatalogError`` for a trust store that cannot be read.
    public static func with<Value>(
        _ configuration: CatalogConfiguration, _ work: (CatalogSession) async throws -> Value
    ) async throws -> Value {
        let target = configuration.target
        let headers = GrafanaRepository.headers(target: target, origin: configuration.origin)
        let judge = try TrustJudge(configuration.trust)
        return try await WebClient.with(
            patience: configuration.patience, verifiesTLS: configuration.verifiesTLS, headers: headers
        ) { client in
            let memory = CatalogueMemory(folder: configuration.folder)
            var repositories: [any Repository] = configuration.catalogs.map { location in
                StaticCatalogue(
                    location: location, client: client, target: target, store: judge.verifier.store, memory: memory)
            }
            var token: (base: String, value: String)?
            if let base = configuration.grafanaBase {
                let grafana = GrafanaRepository(
                    base: base, client: client, target: target, token: configuration.token)
                token = configuration.token.map { (grafana.address, "Bearer \($0)") }
                repositories.append(grafana)
            }
            let stage = PackageStage(
                client: client, judge: judge, machine: target.machine, limits: configuration.limits, token: token)
            let installer = PluginInstaller(
                folder: configuration.folder, sources: PackageSources(repositories), stage: stage,
                coreIDs: configuration.coreIDs)
            return try await work(CatalogSession(installer: installer))
        }
    }
}
