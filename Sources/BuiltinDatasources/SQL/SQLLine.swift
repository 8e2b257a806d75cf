// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import Synchronization

/// A clock that never goes back.
enum SQLClock {
    /// Nanoseconds since some moment.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// The line of a connection, which another thread may cut.
///
/// It has a descriptor of its own: the library closes its own as soon as the line breaks, and the number may be another
/// connection's at once.
final class SQLLine: Sendable {
    private let own: Mutex<Int32>

    /// - Parameter descriptor: the library's.
    /// - Throws: ``PluginError`` `.io` when the process has no descriptor left.
    init(_ descriptor: Int32) throws {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else {
            throw PluginError(
                .io, "the connection cannot be watched: \(String(cString: strerror(errno)))", source: .host)
        }
        own = Mutex(copy)
    }

    deinit { close() }

    /// What is waited for; -1 after ``close()``.
    var descriptor: Int32 { own.withLock { $0 } }

    /// Ends the connection; the library finds that out when it reads or writes next.
    func cut() { own.withLock { if $0 >= 0 { _ = shutdown($0, Int32(SHUT_RDWR)) } } }

    /// Gives the descriptor back; the connection then ends with the library's own.
    func close() {
        own.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }

    /// Whether the other side has neither sent anything nor closed the line.
    static func isQuiet(_ descriptor: Int32) -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    }
}

/// Waits for the other side of a connection, within bounds of time and of bytes.
struct SQLWait {
    private let line: SQLLine
    private let descriptor: Int32
    /// The moment on ``SQLClock`` up to which the other side may take its time; nil leaves that to whoever cancels.
    var deadline: UInt64?
    /// Bytes that were read since the last row; the C libraries keep a row whole.
    private(set) var bytes = 0
    /// What the kernel had handed over before, where it counts; nil: nothing was read since the last row.
    private var bytesBefore: Int?

    /// More than this is no row for a panel, and a thousand of them would be the memory of the server.
    static let maximumRowBytes = 64 << 20
    /// How long a server may take to let somebody in, or to end a transaction.
    static let setUpMilliseconds = 10_000
    /// How much of an answer that nobody wants is read to save the connection, and for how long.
    static let drainRows = 1000
    static let drainBytes = 64 << 10
    static let drainMilliseconds = 50

    init(_ line: SQLLine) {
        self.line = line
        descriptor = line.descriptor
    }

    /// The bounds were passed, and the line was cut.
    private(set) var isOver = false

    /// A row has been taken.
    mutating func hasProgressed() {
        bytes = 0
        bytesBefore = nil
    }

    /// Bounds what follows to some time from now.
    mutating func expire(inMilliseconds milliseconds: Int) {
        deadline = SQLClock.now + UInt64(milliseconds) * 1_000_000
    }

    /// Waits until the descriptor can be read or written.
    ///
    /// - Returns: What it can, of `events` (`POLLIN`, `POLLOUT`); all of them when the line is broken.
    /// - Throws: ``PluginError`` `.io` past the deadline; the line is then cut.
    mutating func wait(for events: Int16) throws -> Int16 {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            let status = poll(&entry, 1, millisecondsLeft)
            if status > 0 { break }
            if status < 0, errno == EINTR { continue }
            isOver = true
            line.cut()
            throw PluginError(
                .io, "db query error: the server did not answer in time", source: .downstream,
                hint: "The server is overloaded, or what listens there is no such server.")
        }
        let isOver = entry.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
        return isOver ? events : entry.revents & events
    }

    /// Counts what is read; asked before reading, and afterwards when that may have been much.
    ///
    /// The kernel counts the bytes of a TCP connection. Elsewhere those that are there before count as read.
    ///
    /// - Throws: ``PluginError`` `.limit` when they are too many without a row; the line is then cut.
    mutating func count(atMost limit: Int = Self.maximumRowBytes, isAfterwards: Bool = false) throws {
        var unread: Int32 = 0
        guard ioctl(descriptor, UInt(FIONREAD), &unread) == 0 else { return }
        if let received = bytesReceived {
            let read = received - Int(unread)
            let before = bytesBefore ?? read
            bytesBefore = before
            bytes = read - before
        } else if !isAfterwards {
            bytes += Int(unread)
        }
        guard bytes > limit else { return }
        isOver = true
        line.cut()
        throw SQLFailure.rowTooLarge
    }

    /// What the kernel has received over TCP; nil for other sockets.
    private var bytesReceived: Int? {
        // `tcpi_bytes_received` of Linux's struct tcp_info, which the C library's is too old for.
        let (option, offset): (Int32, Int) = (11, 128)
        var info = [UInt64](repeating: 0, count: 32)
        var size = socklen_t(info.count * MemoryLayout<UInt64>.size)
        guard getsockopt(descriptor, Int32(IPPROTO_TCP), option, &info, &size) == 0, Int(size) >= offset + 8 else {
            return nil
        }
        return Int(clamping: info[offset / MemoryLayout<UInt64>.size])
    }

    private var millisecondsLeft: Int32 {
        guard let deadline else { return -1 }
        let now = SQLClock.now
        return now < deadline ? Int32(clamping: (deadline - now) / 1_000_000 + 1) : 0
    }
}
