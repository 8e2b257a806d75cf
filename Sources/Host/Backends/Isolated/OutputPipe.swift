// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What a process writes to its standard output and error, as lines.
struct OutputPipe: Sendable {
    let out: Int32
    let error: Int32
    /// Tells the end of the process, after which nobody is waited for who inherited the pipes.
    let pidDescriptor: Int32

    private static let maxLineBytes = 8_192

    /// Reads until the process ends, then closes the pipes.
    func read(_ owner: any RunnerProcessOwner) {
        for descriptor in [out, error] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        var streams = [Stream(descriptor: out, isError: false), Stream(descriptor: error, isError: true)]
        var hasEnded = false
        while !hasEnded {
            var waits = streams.map { pollfd(fd: $0.isOpen ? $0.descriptor : -1, events: Int16(POLLIN), revents: 0) }
            waits.append(pollfd(fd: pidDescriptor, events: Int16(POLLIN), revents: 0))
            if poll(&waits, nfds_t(waits.count), -1) < 0, errno != EINTR { break }
            hasEnded = waits[2].revents != 0
            for index in streams.indices { streams[index].drain(owner) }
        }
        for index in streams.indices { streams[index].finish(owner) }
        for descriptor in [out, error, pidDescriptor] { close(descriptor) }
    }

    private struct Stream {
        let descriptor: Int32
        let isError: Bool
        var isOpen = true
        var line: [UInt8] = []

        init(descriptor: Int32, isError: Bool) {
            self.descriptor = descriptor
            self.isError = isError
        }

        mutating func drain(_ owner: any RunnerProcessOwner) {
            var buffer = [UInt8](repeating: 0, count: 4_096)
            // A flood must not keep the end of the process from being seen.
            for _ in 0..<64 where isOpen {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count < 0 { return isOpen = errno == EAGAIN || errno == EINTR }
                guard count > 0 else { return isOpen = false }
                for byte in buffer[..<count] {
                    if byte == UInt8(ascii: "\n") || line.count == OutputPipe.maxLineBytes { finish(owner) }
                    if byte != UInt8(ascii: "\n") { line.append(byte) }
                }
            }
        }

        mutating func finish(_ owner: any RunnerProcessOwner) {
            guard !line.isEmpty else { return }
            owner.wrote(String(decoding: line, as: UTF8.self), isError: isError)
            line.removeAll(keepingCapacity: true)
        }
    }
}
