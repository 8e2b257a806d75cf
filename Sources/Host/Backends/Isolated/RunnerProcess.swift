// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import CRunnerProtocol
internal import Glibc
internal import PluginABI
internal import Processes
internal import Synchronization

/// How a process of a plugin ended.
struct RunnerExit: Sendable {
    var end = ChildProcess.End()
    /// Why the server ended it; nil when it did not.
    var reason: String?

    /// Such as `was killed by signal 11 (Segmentation fault)`.
    var text: String {
        if let reason { return reason }
        switch end.status {
        case .exited(let status): return "ended with status \(status)"
        case .signalled(let signal):
            return "was killed by signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}

/// Takes what a process says.
protocol RunnerProcessOwner: AnyObject, Sendable {
    /// Handles a message.
    ///
    /// - Returns: what is wrong with it, which ends the process; nil when nothing is.
    func received(_ message: RunnerMessage, descriptor: Int32?, from process: RunnerProcess) -> String?

    /// A line of the process's output.
    func wrote(_ line: String, isError: Bool)

    /// The process has ended and was waited for. Nothing comes from it any more.
    func ended(_ process: RunnerProcess, _ exit: RunnerExit)
}

/// One process of `grafana-plugin-runner`: its socket, its descriptor and the thread that receives from it.
///
/// Safety: the descriptors are closed by the receiving thread, after it has said so under the locks that their users take.
final class RunnerProcess: @unchecked Sendable {
    /// Calls of the store that may wait for the database.
    static let maxRequests = 1_024

    /// What waits for the socket, with the file that belongs to it.
    private struct Packet {
        var bytes: [UInt8]
        /// -1 for none.
        var file: Int32
        /// With those of the file.
        var byteCount: Int
    }

    private struct Outgoing {
        var requests = 0
        var isClosed = false
        /// Packets that the socket did not take yet.
        var queue: [Packet] = []
        var queuedBytes = 0
        var isFlushing = false
    }

    private struct Ending {
        var isOver = false
        var reason: String?
    }

    /// Bytes that may wait for a process that does not read.
    private static let maxQueuedBytes = 64 << 20
    /// The largest message that a plugin may send outside of its arenas.
    private static let maxMessageBytes: UInt32 = 64 << 20

    let arenas: ArenaTable
    private let child: ChildProcess
    private let socket: Int32
    private let outgoing = Mutex(Outgoing())
    /// A lock of its own, with which nobody ever waits: a process can always be ended.
    private let ending = Mutex(Ending())
    private let words = Mutex(WordBudget())

    /// Starts a runner for a sealed library, in a control group if there is one for it.
    ///
    /// - Throws: ``PluginError`` that says what the system refused.
    init(
        executable: String, pluginID: String, image: Int32, environment: [String], arenas: ArenaTable,
        group: ControlGroup?
    ) throws {
        var pair: (Int32, Int32) = (-1, -1)
        let status = linux_packet_pair(&pair.0, &pair.1)
        do {
            if status != 0 { throw SpawnError(step: "socketpair", number: status) }
            child = try ProcessSpawner.startAndWait(
                ProcessLaunch(
                    path: executable, arguments: [executable, pluginID, "\(getpid())"], environment: environment,
                    descriptors: [pair.1, image], group: group))
            close(pair.1)
        } catch {
            for descriptor in [pair.0, pair.1] where descriptor >= 0 { close(descriptor) }
            throw PluginError(
                .crashed, "the process of plugin '\(pluginID)' cannot be started: \(executable): \(error)",
                source: .host)
        }
        socket = pair.0
        self.arenas = arenas
    }

    var processID: Int32 { child.processID }

    /// What it uses now.
    var usage: ChildProcess.Usage { child.usage }

    /// Whether a signal stopped it.
    var isStopped: Bool { child.isStopped }

    // MARK: Sending

    /// Sends messages and never waits.
    ///
    /// A process that does not read is ended.
    func send(_ writer: borrowing MessageWriter) {
        guard !writer.hasFailed else { return end("could not be sent a message that was too large") }
        let bytes = writer.bytes
        var start = 0
        var place = 0
        while place < bytes.count, let message = RunnerMessage(UnsafeRawBufferPointer(rebasing: bytes[place...])) {
            let length = Int(message.header.length)
            if length > Int(RUNNER_PACKET_MAX) {
                send(packet: UnsafeRawBufferPointer(rebasing: bytes[start..<place]))
                sendSpilled(UnsafeRawBufferPointer(rebasing: bytes[place..<(place + length)]))
                start = place + length
            } else if place + length - start > Int(RUNNER_PACKET_MAX) {
                send(packet: UnsafeRawBufferPointer(rebasing: bytes[start..<place]))
                start = place
            }
            place += length
        }
        send(packet: UnsafeRawBufferPointer(rebasing: bytes[start..<place]))
    }

    private func sendSpilled(_ message: UnsafeRawBufferPointer) {
        let file = runner_spill(message.baseAddress, UInt64(message.count))
        guard file >= 0 else { return end("could not be sent a large message") }
        var header = message.loadUnaligned(as: runner_header.self)
        header.flags |= RUNNER_SPILLED
        header.fd_count = 1
        withUnsafeBytes(of: &header) { send(packet: $0, file: file, byteCount: $0.count + message.count) }
    }

    /// Sends a packet at once or, in its order, when the socket takes it; the file is closed afterwards.
    private func send(packet: UnsafeRawBufferPointer, file: Int32 = -1, byteCount: Int? = nil) {
        guard !packet.isEmpty else { return }
        let fault = outgoing.withLock { outgoing -> String? in
            var status = outgoing.isClosed ? EPIPE : EAGAIN
            if !outgoing.isClosed, outgoing.queue.isEmpty { status = transmit(packet, file) }
            guard status == EAGAIN else {
                if file >= 0 { close(file) }
                return Self.fault(status)
            }
            let byteCount = byteCount ?? packet.count
            outgoing.queue.append(Packet(bytes: Array(packet), file: file, byteCount: byteCount))
            outgoing.queuedBytes += byteCount
            // A single message may be larger than all that may wait.
            guard outgoing.queuedBytes <= Self.maxQueuedBytes || outgoing.queue.count == 1 else {
                return "did not read its messages and was ended"
            }
            if !outgoing.isFlushing {
                outgoing.isFlushing = DedicatedThread.start { [self] in flushLater() }
            }
            return outgoing.isFlushing ? nil : "could not be sent its messages: the system gives no thread"
        }
        if let fault { end(fault) }
    }

    /// Sends without waiting; returns 0 or an errno.
    private func transmit(_ packet: UnsafeRawBufferPointer, _ file: Int32) -> Int32 {
        guard file >= 0 else { return runner_send(socket, packet.baseAddress, UInt64(packet.count), nil, 0, 0) }
        var file = file
        return runner_send(socket, packet.baseAddress, UInt64(packet.count), &file, 1, 0)
    }

    /// Why a process is ended that could not be sent something; nil when it ends anyway.
    private static func fault(_ status: Int32) -> String? {
        guard status != 0, status != EPIPE, status != ECONNRESET else { return nil }
        return "could not be sent a message: " + String(cString: strerror(status)).lowercased()
    }

    /// Waits until the socket takes more, again and again until nothing is left.
    private func flushLater() {
        while true {
            var wait = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
            _ = poll(&wait, 1, 1_000)
            let (isDone, fault) = outgoing.withLock { outgoing -> (Bool, String?) in
                let fault = outgoing.isClosed ? nil : flush(&outgoing)
                if fault != nil { drop(&outgoing) }
                if outgoing.queue.isEmpty { outgoing.isFlushing = false }
                return (outgoing.queue.isEmpty, fault)
            }
            if let fault { end(fault) }
            if isDone { return }
        }
    }

    /// Sends what the socket takes; returns what went wrong.
    private func flush(_ outgoing: inout Outgoing) -> String? {
        var sent = 0
        defer { outgoing.queue.removeFirst(sent) }
        for packet in outgoing.queue {
            let status = packet.bytes.withUnsafeBytes { transmit($0, packet.file) }
            guard status != EAGAIN else { return nil }
            sent += 1
            outgoing.queuedBytes -= packet.byteCount
            if packet.file >= 0 { close(packet.file) }
            if let fault = Self.fault(status) { return fault }
        }
        return nil
    }

    private func drop(_ outgoing: inout Outgoing) {
        for packet in outgoing.queue where packet.file >= 0 { close(packet.file) }
        outgoing.queue = []
        outgoing.queuedBytes = 0
    }

    /// The server has read a batch: its memory is the plugin's again.
    func release(_ number: UInt64) {
        var writer = MessageWriter()
        writer.message(RUNNER_FREE, runner_free_t()) { writer, body in body.released = writer.array([number]) }
        send(writer)
    }

    /// Counts a call that the server answers later; false when there are too many.
    func takeRequest() -> Bool {
        outgoing.withLock { outgoing in
            outgoing.requests += 1
            return outgoing.requests <= Self.maxRequests
        }
    }

    func giveRequest() { outgoing.withLock { $0.requests -= 1 } }

    /// A call is sent, which brings its share of messages along.
    func callBegan() { words.withLock { $0.callBegan() } }

    /// Counts a message that no call and no window bounds; false when there are too many.
    func takeWord() -> Bool { words.withLock { $0.spend(at: MonotonicTime.now) } }

    // MARK: The end

    /// Ends the process now; the reason is the server's.
    func end(_ reason: String) {
        ending.withLock { ending in
            guard !ending.isOver else { return }
            ending.reason = ending.reason ?? reason
            child.kill()
        }
    }

    // MARK: Receiving

    /// Starts the threads that receive and that read the output.
    func start(_ owner: any RunnerProcessOwner) {
        let ending = fcntl(child.pidDescriptor, F_DUPFD_CLOEXEC, 3)
        let pipe = OutputPipe(out: child.output, error: child.errors, pidDescriptor: ending)
        if ending < 0 || !DedicatedThread.start({ pipe.read(owner) }) {
            for descriptor in [child.output, child.errors, ending] where descriptor >= 0 { close(descriptor) }
            end("could not be watched: the system gives no descriptor or no thread")
        }
        let isStarted = DedicatedThread.start { [self] in
            receive(owner)
            owner.ended(self, waitForEnd())
        }
        if !isStarted {
            end("could not be watched: the system gives no thread")
            owner.ended(self, waitForEnd())
        }
    }

    private func receive(_ owner: any RunnerProcessOwner) {
        let packet = UnsafeMutableRawPointer.allocate(byteCount: Int(RUNNER_PACKET_MAX), alignment: 64)
        defer { packet.deallocate() }
        var descriptors = [Int32](repeating: -1, count: Int(RUNNER_FDS_MAX))
        while true {
            var count: UInt32 = 0
            let length = runner_receive(socket, packet, &descriptors, &count, 1)
            guard length > 0 else { return }
            let fault = handle(
                UnsafeRawBufferPointer(start: packet, count: Int(length)), descriptors[..<Int(count)], owner)
            for descriptor in descriptors[..<Int(count)] { close(descriptor) }
            if let fault { return end("broke the protocol: \(fault)") }
        }
    }

    /// Handles the messages of a packet; returns what is wrong with them.
    private func handle(
        _ packet: UnsafeRawBufferPointer, _ descriptors: ArraySlice<Int32>, _ owner: any RunnerProcessOwner
    ) -> String? {
        var place = 0
        var descriptors = descriptors
        while place < packet.count {
            guard let message = RunnerMessage(UnsafeRawBufferPointer(rebasing: packet[place...])) else {
                return "a message that is not whole"
            }
            place += message.packetLength
            let descriptor = message.header.fd_count > 0 ? descriptors.popFirst() : nil
            let fault =
                message.isSpilled
                ? handleSpilled(message.header, descriptor, owner)
                : owner.received(message, descriptor: descriptor, from: self)
            if let fault { return fault }
        }
        return nil
    }

    private func handleSpilled(
        _ header: runner_header, _ descriptor: Int32?, _ owner: any RunnerProcessOwner
    ) -> String? {
        guard header.length <= Self.maxMessageBytes else { return "a message of \(header.length) bytes" }
        guard let descriptor, let whole = runner_unspill(descriptor, UInt64(header.length)) else {
            return "a large message that is not sealed"
        }
        defer { free(whole) }
        guard let message = RunnerMessage(UnsafeRawBufferPointer(start: whole, count: Int(header.length))) else {
            return "a large message that is not whole"
        }
        return owner.received(message, descriptor: nil, from: self)
    }

    /// Ends what is left of the process and waits for it, so that no zombie stays.
    private func waitForEnd() -> RunnerExit {
        // Before the descriptors are closed that senders, and those who end it, use.
        outgoing.withLock { outgoing in
            outgoing.isClosed = true
            drop(&outgoing)
        }
        let reason = ending.withLock { ending in
            ending.isOver = true
            return ending.reason
        }
        child.kill()
        let exit = RunnerExit(end: child.wait(), reason: reason)
        close(socket)
        return exit
    }
}
