// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The work of the watcher's thread: waits for events, and reports them when they have come to rest.
struct WatchLoop {
    let inotify: Int32
    /// Readable (closed at the other end) when the loop has to end.
    let stop: Int32
    var tree: WatchTree
    var quiescence: Quiescence
    private var pending = WatchTree.Findings()
    private let clock = ContinuousClock()

    init(inotify: Int32, stop: Int32, tree: WatchTree, quiescence: Quiescence) {
        self.inotify = inotify
        self.stop = stop
        self.tree = tree
        self.quiescence = quiescence
    }

    /// How often a source that does not exist is looked for.
    static let retryInterval = Duration.seconds(1)

    /// Runs until `stop` is closed.
    mutating func run(report: (PluginWatcher.Change) -> Void) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
        defer { buffer.deallocate() }
        note(tree.takeFindings())
        while wait() {
            readEvents(into: buffer)
            tree.retryMissingSources()
            note(tree.takeFindings())
            if quiescence.takeIfDue(at: clock.now) {
                report(pending.change)
                pending = WatchTree.Findings()
            }
        }
    }

    private mutating func note(_ findings: WatchTree.Findings) {
        guard !findings.isEmpty else { return }
        pending.merge(findings)
        quiescence.note(at: clock.now)
    }

    /// Sleeps until something is to do; false when the loop has to end.
    private func wait() -> Bool {
        var descriptors = [
            pollfd(fd: stop, events: Int16(POLLIN), revents: 0), pollfd(fd: inotify, events: Int16(POLLIN), revents: 0),
        ]
        var timeout = quiescence.remaining(at: clock.now)
        if tree.hasMissingSources { timeout = min(timeout ?? Self.retryInterval, Self.retryInterval) }
        let milliseconds = timeout.map { Int32(clamping: Int64($0 / .milliseconds(1)) + 1) } ?? -1
        let count = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        if count < 0 { return errno == EINTR }
        return descriptors[0].revents == 0
    }

    private mutating func readEvents(into buffer: UnsafeMutableRawBufferPointer) {
        while true {
            let count = read(inotify, buffer.baseAddress, buffer.count)
            guard count > 0 else { return }
            var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            while let event = WatchEvent(parsing: &rest) { tree.handle(event) }
        }
    }
}

/// One inotify event.
struct WatchEvent {
    static let headerSize = 16

    var watch: Int32
    var mask: UInt32
    /// The entry in the watched folder; empty for the folder itself.
    var name: String

    init(watch: Int32, mask: UInt32, name: String) {
        self.watch = watch
        self.mask = mask
        self.name = name
    }

    /// Takes the next event off the front of `bytes`; nil when none is left.
    init?(parsing bytes: inout UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerSize else { return nil }
        watch = bytes.loadUnaligned(fromByteOffset: 0, as: Int32.self)
        mask = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        let length = Int(bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        guard bytes.count - Self.headerSize >= length else { return nil }
        let end = Self.headerSize + length
        name = String(decoding: bytes[Self.headerSize..<end].prefix { $0 != 0 }, as: UTF8.self)
        bytes = UnsafeRawBufferPointer(rebasing: bytes[end...])
    }

    func has(_ flags: Int...) -> Bool { flags.contains { mask & UInt32($0) != 0 } }
}
