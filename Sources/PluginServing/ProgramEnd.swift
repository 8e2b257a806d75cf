// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import UnixSignals

/// When the program has to end: its host asks, SIGTERM comes, or its host is gone.
///
/// SIGINT is ignored: a terminal sends it to the host too, which then ends its plugins in its own order.
final class ProgramEnd: Sendable {
    private let reasons: AsyncStream<Void>
    private let tell: AsyncStream<Void>.Continuation

    init() {
        (reasons, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
        signal(SIGINT, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        watchParent()
    }

    /// The host asks for it.
    func ask() { tell.yield() }

    /// Returns when the program has to end.
    func wait() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.reasons { return } }
            group.addTask { for await _ in await UnixSignalsSequence(trapping: .sigterm) { return } }
            await group.next()
            group.cancelAll()
        }
    }

    /// Waits for the end of the process that started this one, on a thread of its own.
    ///
    /// Not the kernel's signal at a parent's death, which comes already when the *thread* that started us ends: Go's
    /// runtime ends threads as it likes.
    private func watchParent() {
        let parent = getppid()
        let descriptor = linux_open_process(parent)
        // Gone already: an orphan has another parent.
        if descriptor < 0 && errno == ESRCH || getppid() != parent {
            ask()
            return
        }
        guard descriptor >= 0 else { return }
        let tell = tell
        let thread = pthread_start {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            while poll(&polled, 1, -1) < 0 && errno == EINTR {}
            tell.yield()
        }
        if !thread { close(descriptor) }
    }
}

/// Runs `body` on a new thread; false when there are no more threads.
private func pthread_start(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let context = Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let result = pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
            return nil
        }, context.toOpaque())
    if result != 0 { context.release() } else { pthread_detach(thread) }
    return result == 0
}
