// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import NIOCore
package import Processes
internal import SwiftProtobuf
internal import Synchronization

/// What a plugin process is started with.
package struct PluginLaunch: Sendable {
    /// What is run.
    package var program: ProcessLaunch
    /// Makes the control group of each process; nil: none.
    package var makeGroup: @Sendable () -> ControlGroup? = { nil }
    /// From the start of the program to a usable connection.
    package var startTimeout: Duration
    /// Whether both sides prove themselves with certificates (`AutoMTLS`).
    package var usesTLS: Bool
    /// How a process that hangs as a whole is noticed.
    package var heartbeat = Heartbeat()

    /// Takes a minute, as go-plugin does, and plain HTTP/2, as Grafana does, where nothing is given.
    package init(_ program: ProcessLaunch, startTimeout: Duration = .seconds(60), usesTLS: Bool = false) {
        self.program = program
        self.startTimeout = startTimeout
        self.usesTLS = usesTLS
    }

    /// What every plugin of Grafana's protocol expects in its environment.
    package static let handshakeEnvironment = [
        "grafana_plugin_type": "datasource", "PLUGIN_PROTOCOL_VERSIONS": "2", "PLUGIN_MIN_PORT": "10000",
        "PLUGIN_MAX_PORT": "25000",
    ]
}

/// Why a plugin did not start: one sentence, with what its process said.
package struct PluginStartError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The fact, without a full stop.
    package var reason: String
    /// How the process ended, when it did by itself.
    package var status: ExitStatus?
    /// The last lines of its standard error.
    package var lastLines: [String]

    /// Everything in one line.
    package var description: String {
        var text = reason
        if let status { text += " (\(status))" }
        if !lastLines.isEmpty { text += "; its last words: " + lastLines.joined(separator: " ⏎ ") }
        return text
    }
}

/// One life of a plugin: its process and its connection.
final class PluginSession: Sendable {
    let connection: GRPCConnection
    private let process: GoProcess
    private let ends: ProcessEnds
    private let broker: GRPCCall
    private let socket: String?
    private let group: any EventLoopGroup

    private init(
        connection: GRPCConnection, process: GoProcess, ends: ProcessEnds, socket: String?,
        group: any EventLoopGroup, log: @escaping @Sendable (PluginLogLine) -> Void
    ) {
        self.group = group
        self.connection = connection
        self.process = process
        self.ends = ends
        self.socket = socket
        // A plugin without these streams ends them, which does not matter.
        connection.begin(GRPCRequest("/plugin.GRPCStdio/StreamStdio", message: []), reader: StdioLog.reader(log))
        var request = GRPCRequest("/plugin.GRPCBroker/StartStream", message: [])
        request.staysOpen = true
        broker = connection.begin(
            request,
            reader: WholeMessageReader { _ in
                true
            } onEnd: { _ in
            })
    }

    /// The number of the process.
    var pid: Int32 { process.pid }

    /// What the process uses now.
    var usage: ChildProcess.Usage { process.usage }

    /// Calls `body` when the process has ended, with what it had used.
    func whenProcessEnded(_ body: @escaping @Sendable (ChildProcess.End) -> Void) { ends.whenEnded(body) }

    // MARK: Start

    /// Starts a plugin and waits until it answers.
    ///
    /// - Throws: ``PluginStartError``; the process is then ended.
    static func start(
        _ launch: PluginLaunch, on group: any EventLoopGroup, log: @escaping @Sendable (PluginLogLine) -> Void
    ) async throws(PluginStartError) -> PluginSession {
        let deadline = ContinuousClock.now + launch.startTimeout
        let ends = ProcessEnds()
        var program = launch.program
        let identity: PluginIdentity?
        do {
            identity = launch.usesTLS ? try PluginIdentity() : nil
        } catch {
            throw PluginStartError(reason: "no certificate could be made for it: \(error)", lastLines: [])
        }
        if let identity { program.environment.append("PLUGIN_CLIENT_CERT=" + identity.certificatePEM) }
        program.group = launch.makeGroup()
        let process: GoProcess
        do {
            process = try await GoProcess.start(program) { event in
                switch event {
                case .line(let line): log(line)
                case .handshake(let result): ends.told(result)
                case .ended(let end): ends.ended(end)
                }
            }
        } catch {
            throw PluginStartError(reason: "its program could not be started: \(error)", lastLines: [])
        }
        do {
            let line = try await ends.handshake(within: launch.startTimeout, on: group)
            let socket: String? = if case .unix(let path) = line.address { path } else { nil }
            let tls = try line.certificate.flatMap { try identity?.tls(trusting: $0) }
            guard identity == nil || tls != nil else {
                throw GRPCStatus.local(
                    .unavailable, "it was asked for TLS and gave no certificate; turn TLS off for it")
            }
            var heartbeat = launch.heartbeat
            heartbeat.isExcused = { process.isTraced }
            let connection = try await GRPCConnection.connect(
                to: line.address, tls: tls, heartbeat: heartbeat, on: group)
            let session = PluginSession(
                connection: connection, process: process, ends: ends, socket: socket, group: group, log: log)
            try await session.check(timeout: max(.milliseconds(1), deadline - .now))
            return session
        } catch {
            throw await failure(error, process, ends, on: group)
        }
    }

    /// Ends a process that did not start well, and says what is known about it.
    private static func failure(
        _ error: any Error, _ process: GoProcess, _ ends: ProcessEnds, on group: any EventLoopGroup
    ) async -> PluginStartError {
        // A process that ends by itself says more than the pipe that broke, and a moment later; one that goes on is ended.
        let endedItself = await ends.end(within: .milliseconds(500), on: group)
        if !endedItself { process.signal(9) }
        let status = await ends.end().status
        let reason = (error as? GRPCStatus)?.message ?? "\(error)"
        return PluginStartError(reason: reason, status: endedItself ? status : nil, lastLines: process.lastLines)
    }

    /// Whether there is a gRPC server that wants to serve; one that does not know the health service does.
    private func check(timeout: Duration) async throws(GRPCStatus) {
        var question = Grpc_Health_V1_HealthCheckRequest()
        question.service = "plugin"
        let answer: Grpc_Health_V1_HealthCheckResponse
        do throws(GRPCStatus) {
            answer = try await connection.unary("/grpc.health.v1.Health/Check", question, timeout: timeout)
        } catch {
            if !error.isLocal || error.code == .unimplemented { return }
            throw .local(.unavailable, "its server does not answer as gRPC: \(error.message)")
        }
        if answer.status == .notServing { throw .local(.unavailable, "its server says that it does not serve") }
    }

    // MARK: End

    /// Calls `body` when the connection or the process has ended; it may come twice.
    func whenEnded(_ body: @escaping @Sendable () -> Void) {
        connection.whenClosed(body)
        ends.whenEnded { _ in body() }
    }

    /// Ends the plugin as go-plugin does: asks it to, gives it two seconds, and kills it.
    func stop() async {
        broker.cancel()
        let isAsked = await ask()
        connection.close()
        // A server without the controller service has its own way to end.
        if !isAsked { process.signal(15) }
        if await !ends.end(within: .seconds(2), on: group) {
            process.signal(9)
            _ = await ends.end()
        }
        removeSocket()
    }

    /// Ends what is of no use any more; its calls learn the reason, if there is one.
    ///
    /// - Returns: how the process ended, and its last words.
    func kill(after grace: Duration, because reason: String?) async -> (end: ChildProcess.End, lastLines: [String]) {
        if let reason {
            connection.close(because: reason)
            // Before the process ends, which would end the connection with another reason.
            await connection.waitUntilPerformed()
        } else {
            connection.close()
        }
        defer { removeSocket() }
        if await !ends.end(within: grace, on: group) { process.signal(9) }
        return (await ends.end(), process.lastLines)
    }

    /// Whether the plugin knows how to be asked; its server may be gone before it answers.
    private func ask() async -> Bool {
        do throws(GRPCStatus) {
            let _: Plugin_Empty = try await connection.unary(
                "/plugin.GRPCController/Shutdown", Plugin_Empty(), timeout: .seconds(2))
            return true
        } catch {
            return error.code != .unimplemented
        }
    }

    private func removeSocket() {
        if let socket { linux_remove_socket(socket) }
    }
}

/// What a plugin prints once it serves: go-plugin sends it over the connection instead of the pipes.
private enum StdioLog {
    /// Makes a reader that logs whole lines.
    static func reader(_ log: @escaping @Sendable (PluginLogLine) -> Void) -> WholeMessageReader {
        let state = Mutex<(splitter: LineSplitter, parser: PluginLogParser)>((LineSplitter(), PluginLogParser()))
        return WholeMessageReader { message in
            guard let data = try? Plugin_StdioData(serializedBytes: message).data else { return true }
            let lines = state.withLock { state in
                state.splitter.received(data).map { state.parser.line($0.text, isPart: $0.isPart) }
            }
            for line in lines where !line.message.isEmpty { log(line) }
            return true
        } onEnd: { _ in
        }
    }
}
