// SPDX-License-Identifier: Apache-2.0

/// The one line with which a plugin says where it listens: `1|2|unix|/tmp/plugin123|grpc|`.
///
/// - SeeAlso: `go-plugin`, `docs/internals.md`.
package struct HandshakeLine: Sendable, Equatable {
    /// Where the plugin's gRPC server listens.
    package enum Address: Sendable, Equatable, CustomStringConvertible {
        case unix(path: String)
        case tcp(host: String, port: Int)

        /// A path, or `host:port`.
        package var description: String {
            switch self {
            case .unix(let path): path
            case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            }
        }
    }

    /// Where to connect.
    package var address: Address
    /// The plugin's certificate as DER, when it wants TLS.
    package var certificate: [UInt8]?
    /// Whether the plugin agreed to carry its side connections on the one connection.
    package var isMultiplexed = false

    /// The version of go-plugin's own protocol.
    static let coreVersion = 1
    /// The version of Grafana's protocol on top of it.
    static let appVersion = 2
    /// A certificate shorter than this in base64 is none; as go-plugin has it.
    static let shortestCertificate = 50

    /// Makes one from its parts.
    package init(address: Address, certificate: [UInt8]? = nil, isMultiplexed: Bool = false) {
        self.address = address
        self.certificate = certificate
        self.isMultiplexed = isMultiplexed
    }

    /// Reads the line; white space around it does not count.
    ///
    /// - Throws: ``HandshakeError``.
    package init(parsing line: String) throws(HandshakeError) {
        let parts = line.trimmed.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count >= 4 else { throw .unrecognized(line: line) }
        guard Int(parts[0]) == Self.coreVersion else {
            throw .incompatible("go-plugin protocol", found: String(parts[0]), expected: Self.coreVersion)
        }
        guard Int(parts[1]) == Self.appVersion else {
            throw .incompatible("plugin protocol", found: String(parts[1]), expected: Self.appVersion)
        }
        let address = try Self.address(network: parts[2], address: String(parts[3]))
        let transport = parts.count > 4 ? String(parts[4]) : "netrpc"
        guard transport == "grpc" else { throw .transport(transport) }
        self.init(address: address)
        if parts.count > 5, parts[5].utf8.count > Self.shortestCertificate {
            guard let der = Base64.decode(parts[5]) else { throw .certificate }
            certificate = der
        }
        isMultiplexed = parts.count > 6 && parts[6] == "true"
    }

    /// The line as a plugin prints it, without its newline.
    ///
    /// - Parameter tellsMultiplexing: whether the host asked about it.
    package func text(tellsMultiplexing: Bool = false) -> String {
        let network = if case .unix = address { "unix" } else { "tcp" }
        let certificate = certificate.map { Base64.encode($0) } ?? ""
        var parts = ["\(Self.coreVersion)", "\(Self.appVersion)", network, "\(address)", "grpc", certificate]
        if tellsMultiplexing { parts.append("\(isMultiplexed)") }
        return parts.joined(separator: "|")
    }

    private static func address(network: Substring, address: String) throws(HandshakeError) -> Address {
        switch network {
        case "unix":
            // The socket address holds 107 bytes and a zero.
            guard !address.isEmpty, address.utf8.count < 108, !address.utf8.contains(0) else {
                throw .address(address, "not the path of a socket")
            }
            return .unix(path: address)
        case "tcp":
            guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]),
                port > 0
            else { throw .address(address, "not host:port") }
            var host = address[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
            return .tcp(host: host.isEmpty ? "127.0.0.1" : String(host), port: Int(port))
        default:
            throw .network(String(network))
        }
    }
}

/// Why a first line is not a handshake.
package enum HandshakeError: Error, Sendable, Equatable, CustomStringConvertible {
    case unrecognized(line: String)
    case incompatible(String, found: String, expected: Int)
    case network(String)
    case address(String, String)
    case transport(String)
    case certificate
    case tooLong(limit: Int)
    /// Standard output ended before a line.
    case noLine(text: String)

    /// The fact, in one sentence without a full stop.
    package var description: String {
        switch self {
        case .unrecognized(let line):
            "its first line is not a handshake: '\(line.trimmed.shortened(to: 200))'; a plugin starts with "
                + "'1|2|unix|<socket>|grpc|'"
        case .incompatible(let what, let found, let expected):
            "it speaks version '\(found.shortened(to: 40))' of the \(what) and this server version \(expected)"
        case .network(let network):
            "it listens on a network of the unknown type '\(network.shortened(to: 40))' instead of unix or tcp"
        case .address(let address, let fact): "its address '\(address.shortened(to: 200))' is \(fact)"
        case .transport(let transport):
            "it speaks '\(transport.shortened(to: 40))' and not grpc; rebuild it with a current plugin SDK"
        case .certificate: "its certificate is not base64"
        case .tooLong(let limit): "its first line has more than \(limit) bytes"
        case .noLine(let text):
            text.isEmpty
                ? "it ended without a handshake on its standard output"
                : "it ended in the middle of its handshake: '\(text.trimmed.shortened(to: 200))'"
        }
    }
}

/// Collects standard output up to the first newline; what follows is counted and forgotten.
package struct HandshakeReader: Sendable {
    /// More than any certificate needs.
    static let limit = 64 * 1024
    private var line: [UInt8] = []
    private var isOver = false

    package init() {}

    /// Takes bytes of standard output.
    ///
    /// - Returns: the handshake, once, when its line is complete.
    /// - Throws: ``HandshakeError``, once.
    package mutating func received(_ bytes: some Collection<UInt8>) throws(HandshakeError) -> HandshakeLine? {
        guard !isOver else { return nil }
        let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
        line += bytes[..<(end ?? bytes.endIndex)]
        guard line.count <= Self.limit else {
            isOver = true
            throw .tooLong(limit: Self.limit)
        }
        guard end != nil else { return nil }
        isOver = true
        return try HandshakeLine(parsing: String(decoding: line, as: UTF8.self))
    }

    /// Standard output ended: why there is no handshake, or nil when there was one.
    package mutating func ended() -> HandshakeError? {
        guard !isOver else { return nil }
        isOver = true
        return .noLine(text: String(decoding: line.prefix(400), as: UTF8.self))
    }
}
