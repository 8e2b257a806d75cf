// SPDX-License-Identifier: Apache-2.0

/// What Grafana's backend plugins are told about the server, and how their processes are run.
public struct GoPluginSettings: Sendable {
    /// `grafanaConfig` of every request: `GF_APP_URL` and its like.
    public var grafanaConfig: [String: String]
    /// Variables for the processes of all plugins.
    public var environment: [String: String]
    /// Variables for the process of one plugin, by its id: `GF_PLUGIN_<KEY>`.
    public var environments: [String: [String: String]]
    /// How long a process may take until it answers.
    public var startTimeout: Duration
    /// Plugins that are spoken to over TLS (`[plugin.<id>] mtls`).
    public var tlsIDs: Set<String>
    /// Plugins that are asked with QueryChunkedData first (`[plugin.<id>] chunked_queries`).
    public var chunkedIDs: Set<String>

    /// Tells nothing but the protocol's own variables unless values are given, and waits a minute.
    public init(
        grafanaConfig: [String: String] = [:], environment: [String: String] = [:],
        environments: [String: [String: String]] = [:], startTimeout: Duration = .seconds(60),
        tlsIDs: Set<String> = [], chunkedIDs: Set<String> = []
    ) {
        self.grafanaConfig = grafanaConfig
        self.environment = environment
        self.environments = environments
        self.startTimeout = startTimeout
        self.tlsIDs = tlsIDs
        self.chunkedIDs = chunkedIDs
    }
}
