// SPDX-License-Identifier: Apache-2.0

/// What a host of go-plugin says to a plugin, in its environment.
package struct HandshakeOffer: Sendable, Equatable {
    /// Whether the host says that it is Grafana, or a host like it.
    package var isFromHost: Bool
    /// The certificate of the host, PEM, when it wants TLS (`AutoMTLS`); nil: it does not.
    package var certificate: String?
    /// Where the plugin's socket is made.
    package var socketFolder: String
    /// The ports that a plugin without a socket may use.
    package var ports: ClosedRange<Int>
    /// Whether the host asks for the broker's connections on the one connection, which is answered with no.
    package var asksForMultiplexing: Bool

    /// Reads the variables.
    ///
    /// Which versions the host knows does not matter: there is one, and a host that lacks it says so itself.
    package init(environment: [String: String]) {
        isFromHost = environment["grafana_plugin_type"] == "datasource"
        certificate = Self.text(environment["PLUGIN_CLIENT_CERT"])
        socketFolder =
            Self.text(environment["PLUGIN_UNIX_SOCKET_DIR"]) ?? Self.text(environment["TMPDIR"]) ?? "/tmp"
        let least = Self.port(environment["PLUGIN_MIN_PORT"]) ?? 10_000
        let most = Self.port(environment["PLUGIN_MAX_PORT"]) ?? 25_000
        ports = least...max(least, most)
        asksForMultiplexing = Self.text(environment["PLUGIN_MULTIPLEX_GRPC"]) != nil
    }

    private static func text(_ value: String?) -> String? { value.flatMap { $0.isEmpty ? nil : $0 } }

    private static func port(_ value: String?) -> Int? {
        value.flatMap { Int($0) }.flatMap { (1...65_535).contains($0) ? $0 : nil }
    }
}
