// SPDX-License-Identifier: Apache-2.0
public import ArgumentParser
internal import Glibc
internal import GoPlugin
internal import Logging
internal import NIOPosix
internal import PluginABI
internal import PluginHost

/// Serves one plugin of this server to another host of Grafana's plugin protocol.
///
/// A package for Grafana has this program as its `executable`, which finds the plugin by its own name; see ``PluginPlace``.
public struct ServeCommand: AsyncParsableCommand {
    /// Name and words.
    public static let configuration = CommandConfiguration(
        commandName: "grafana-plugin-go",
        abstract: "Serves a plugin in C or Swift as a backend plugin of Grafana.",
        discussion: """
            Grafana starts this program; it is of no use from a terminal. `grafana-plugin package --target grafana` puts \
            it into a package under the name that Grafana looks for, and it then finds the plugin beside itself.
            """)

    @Argument(help: ArgumentHelp("The folder of the plugin; the default: beside this program.", valueName: "folder"))
    var folder: String?

    @Flag(help: "Listen on a port of 127.0.0.1, which every user of this machine can reach, and not on a socket.")
    var tcp = false

    /// A command that has not read its arguments yet.
    public init() {}

    /// Serves until the host asks the program to end, is gone, or SIGTERM comes.
    public func run() async throws {
        let output = HandshakeOutput()
        let offer = HandshakeOffer(environment: Self.environment)
        let place: PluginPlace
        do {
            place = try folder.map { try PluginPlace(folder: $0) } ?? PluginPlace.besideProgram()
        } catch {
            throw Self.failure("\(error)")
        }
        guard offer.isFromHost else { throw Self.failure(place.introduction) }
        do {
            try await Self.serve(place, offer, output, usesTCP: tcp)
        } catch {
            HclogHandler.write(
                level: .error, "Plugin not served", module: place.name, ["error": .string("\(error)")])
            throw ExitCode(1)
        }
        // Not exit: the library's own threads may still run, and its destructors would pull the rug from under them.
        _exit(0)
    }

    private static func serve(
        _ place: PluginPlace, _ offer: HandshakeOffer, _ output: HandshakeOutput, usesTCP: Bool
    ) async throws {
        let ends = ProgramEnd()
        let identity = offer.certificate == nil ? nil : try PluginIdentity()
        let tls = try offer.certificate.flatMap { try identity?.serverTLS(trusting: $0) }
        let plugin = try await ServedPlugin.open(place, hostVersion: environment["GF_VERSION"] ?? "")
        var methods = GRPCMethods()
        plugin.addMethods(to: &methods)
        methods.addStanding { ends.ask() }
        let server = try await GRPCServer.start(
            at: usesTCP ? .ports(offer.ports) : .folder(offer.socketFolder), tls: tls, methods: methods,
            on: MultiThreadedEventLoopGroup.singleton)
        let line = HandshakeLine(address: server.address, certificate: identity?.certificateDER)
        guard output.write(line.text(tellsMultiplexing: offer.asksForMultiplexing)) else {
            server.removeSocket()
            throw ServingError("the host closed the standard output before the handshake")
        }
        await ends.wait()
        await server.stop()
        await plugin.close()
    }

    private static func failure(_ text: String) -> ExitCode {
        var line = "\(text)\n"
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
        return ExitCode(1)
    }

    /// The variables of this process.
    static var environment: [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return variables
    }
}

/// Why a plugin is not served.
struct ServingError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Standard output, of which the host reads one line: all else that is printed goes to standard error, and into its log.
struct HandshakeOutput {
    private let descriptor: Int32

    init() {
        descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        dup2(STDERR_FILENO, STDOUT_FILENO)
    }

    /// Writes the line; false when nobody reads.
    func write(_ line: String) -> Bool {
        var rest = Array("\(line)\n".utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
