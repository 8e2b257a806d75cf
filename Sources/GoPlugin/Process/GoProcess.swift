// SPDX-License-Identifier: Apache-2.0
internal import Glibc
package import Processes
internal import Synchronization

/// A running plugin program: its handshake, its log and its end.
///
/// One thread reads both pipes and waits for the end; it closes everything.
package final class GoProcess: Sendable {
    /// What a process tells, on its thread, in this order: any number of lines, at most one handshake, one end.
    package enum Event: Sendable {
        case handshake(Result<HandshakeLine, HandshakeError>)
        case line(PluginLogLine)
        case ended(ChildProcess.End)
    }

    private let child: ChildProcess
    private struct State {
        var lastLines: [String] = []
        /// Whether the lines are those of a panic, of which the first ones tell most.
        var isPanicking = false
    }
    private let state = Mutex(State())

    private init(_ child: ChildProcess) { self.child = child }

    /// The number of the process.
    package var pid: Int32 { child.processID }

    /// Starts a program and tells what it does.
    ///
    /// - Throws: ``SpawnError``.
    package static func start(
        _ program: ProcessLaunch, _ onEvent: @escaping @Sendable (Event) -> Void
    ) async throws(SpawnError) -> GoProcess {
        let process = GoProcess(try await ProcessSpawner.start(program))
        startThread(named: "plugin-\(process.pid)") { process.watch(onEvent) }
        return process
    }

    /// Sends a signal; never to another process.
    package func signal(_ number: Int32) { child.signal(number) }

    /// What it uses now; nothing once it has ended.
    package var usage: ChildProcess.Usage { child.usage }

    /// Whether a debugger holds it.
    package var isTraced: Bool { child.isTraced }

    /// What the process wrote last to its standard error.
    package var lastLines: [String] { state.withLock { $0.lastLines } }

    // MARK: The thread

    private func watch(_ onEvent: @Sendable (Event) -> Void) {
        var pipes = ProcessPipes(output: child.output, errors: child.errors)
        while true {
            var polled = [
                pollfd(fd: child.pidDescriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes.output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes.errors, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polled, 3, -1) >= 0 else { continue }
            let hasEnded = polled[0].revents != 0
            // What the plugin started itself is in its process group, which keeps its number until the plugin is reaped.
            if hasEnded { child.kill() }
            if polled[2].revents != 0 || hasEnded { pipes.readErrors(untilEmpty: hasEnded) { note($0, onEvent) } }
            if polled[1].revents != 0 || hasEnded { pipes.readOutput(untilEmpty: hasEnded) { onEvent(.handshake($0)) } }
            if hasEnded { break }
        }
        pipes.finish(line: { note($0, onEvent) }, handshake: { onEvent(.handshake($0)) })
        onEvent(.ended(child.wait()))
    }

    private func note(_ line: PluginLogLine, _ onEvent: @Sendable (Event) -> Void) {
        state.withLock { state in
            if !state.isPanicking, line.message.hasPrefix("panic: ") || line.message.hasPrefix("fatal error: ") {
                state.isPanicking = true
                state.lastLines = []
            }
            if state.lastLines.count == 5 {
                if state.isPanicking { return }
                state.lastLines.removeFirst()
            }
            state.lastLines.append(line.message.shortened(to: 300))
        }
        onEvent(.line(line))
    }
}

/// The two pipes of a process and what was read of them.
private struct ProcessPipes {
    /// -1 once closed.
    private(set) var output: Int32
    private(set) var errors: Int32
    private var handshake = HandshakeReader()
    private var splitter = LineSplitter()
    private var parser = PluginLogParser()
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    /// More than a pipe holds; a grandchild that goes on writing does not hold us up.
    private static let lastReads = 32

    init(output: Int32, errors: Int32) {
        self.output = output
        self.errors = errors
        for descriptor in [output, errors] { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
    }

    /// Reads what is there; -1 for the descriptor means that the pipe is closed.
    private mutating func read(_ descriptor: Int32) -> (bytes: ArraySlice<UInt8>, isOpen: Bool) {
        guard descriptor >= 0 else { return ([], false) }
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 { return (buffer[..<count], true) }
        let isOpen = count < 0 && (errno == EAGAIN || errno == EINTR)
        return ([], isOpen)
    }

    mutating func readErrors(untilEmpty: Bool, _ line: (PluginLogLine) -> Void) {
        for _ in 0..<(untilEmpty ? Self.lastReads : 1) {
            let (bytes, isOpen) = read(errors)
            for text in splitter.received(bytes) where !text.text.isEmpty {
                line(parser.line(text.text, isPart: text.isPart))
            }
            if !isOpen { closeErrors() }
            if bytes.isEmpty { return }
        }
    }

    mutating func readOutput(untilEmpty: Bool, _ told: (Result<HandshakeLine, HandshakeError>) -> Void) {
        for _ in 0..<(untilEmpty ? Self.lastReads : 1) {
            let (bytes, isOpen) = read(output)
            do throws(HandshakeError) {
                if let line = try handshake.received(bytes) { told(.success(line)) }
            } catch {
                told(.failure(error))
            }
            if !isOpen {
                closeOutput()
                if let error = handshake.ended() { told(.failure(error)) }
            }
            if bytes.isEmpty { return }
        }
    }

    /// The process has ended: what is left in the buffers.
    mutating func finish(
        line: (PluginLogLine) -> Void, handshake told: (Result<HandshakeLine, HandshakeError>) -> Void
    ) {
        if let last = splitter.ended() { line(parser.line(last.text, isPart: last.isPart)) }
        if let error = handshake.ended() { told(.failure(error)) }
        closeErrors()
        closeOutput()
    }

    private mutating func closeErrors() {
        if errors >= 0 { close(errors) }
        errors = -1
    }

    private mutating func closeOutput() {
        if output >= 0 { close(output) }
        output = -1
    }
}
