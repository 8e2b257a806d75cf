// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization

/// A process that was started here, by a descriptor that names it also when its number is used again.
///
/// Whoever has it reads `output` and `errors` and closes them, and calls ``wait()`` once.
package final class ChildProcess: Sendable {
    /// What a process uses.
    package struct Usage: Sendable, Equatable {
        /// Resident memory; of its whole control group where it has one.
        package var memoryBytes = 0
        /// Processor time so far.
        package var processorSeconds = 0.0

        /// Nothing unless it is given.
        package init(memoryBytes: Int = 0, processorSeconds: Double = 0) {
            self.memoryBytes = memoryBytes
            self.processorSeconds = processorSeconds
        }
    }

    /// How a process ended.
    package struct End: Sendable {
        /// What it exited with, or what killed it.
        package var status = ExitStatus.exited(0)
        /// Processor time, of its own and of the children that it waited for.
        package var processorSeconds = 0.0
        /// The most memory that it had.
        package var mostMemoryBytes = 0
        /// The limits of its control group that it met.
        package var limits: [ControlGroup.Limit] = []

        /// A process that ended well and used nothing.
        package init() {}
    }

    /// The number of the process, which names it until it was waited for.
    package let processID: Int32
    /// The end of its standard output that is ours to read.
    package let output: Int32
    /// The end of its standard error that is ours to read.
    package let errors: Int32
    /// Becomes readable when the process has ended; valid until it was waited for.
    package let pidDescriptor: Int32
    private let group: ControlGroup?
    private let hasEnded = Mutex(false)

    init(processID: Int32, pidDescriptor: Int32, output: Int32, errors: Int32, group: ControlGroup?) {
        self.processID = processID
        self.pidDescriptor = pidDescriptor
        self.output = output
        self.errors = errors
        self.group = group
    }

    /// Sends a signal; never to another process.
    package func signal(_ number: Int32) {
        hasEnded.withLock { hasEnded in
            if !hasEnded { _ = linux_signal_program(pidDescriptor, number) }
        }
    }

    /// Ends the process and everything that it started.
    package func kill() {
        hasEnded.withLock { hasEnded in
            guard !hasEnded else { return }
            linux_kill_group(processID, pidDescriptor)
            group?.kill()
        }
    }

    /// Ends what is left of the process and waits for it, so that no zombie stays; blocks.
    package func wait() -> End {
        var usage = linux_usage_t()
        // What the process started itself is in its group, which keeps its number until the process is reaped.
        var waited = pollfd(fd: pidDescriptor, events: Int16(POLLIN), revents: 0)
        while poll(&waited, 1, -1) < 0 {}
        kill()
        var end = End()
        end.limits = group?.limitsMet ?? []
        let ended = group?.usage
        ProcessGuardian.ends(processID)
        hasEnded.withLock { hasEnded in
            hasEnded = true
            _ = linux_wait(pidDescriptor, &usage)
            close(pidDescriptor)
        }
        group?.remove()
        end.status = usage.signal == 0 ? .exited(usage.status) : .signalled(usage.signal)
        end.processorSeconds = ended?.processorSeconds ?? Double(usage.processor) / 1e9
        end.mostMemoryBytes = Int(usage.memory)
        return end
    }

    /// What it uses now; nothing once it has ended.
    package var usage: Usage {
        hasEnded.withLock { hasEnded in
            guard !hasEnded else { return Usage() }
            return group?.usage ?? ProcessFile.usage(of: processID)
        }
    }

    /// Whether a signal such as SIGSTOP stopped it; not when a debugger did.
    package var isStopped: Bool {
        hasEnded.withLock { hasEnded in !hasEnded && ProcessFile.stat(of: processID)?.first == "T" }
    }

    /// Whether a debugger is attached to it.
    package var isTraced: Bool {
        hasEnded.withLock { hasEnded in !hasEnded && ProcessFile.isTraced(processID) }
    }
}

/// The small files in which the kernel describes processes.
enum ProcessFile {
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = read(descriptor, &buffer, buffer.count)
        return count >= 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// What `/proc/PID/stat` tells after the name: first the state, a letter.
    static func stat(of process: Int32) -> [Substring]? {
        // The name in parentheses may hold anything.
        guard let text = text("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// Whether another process traces this one.
    static func isTraced(_ process: Int32) -> Bool {
        let lines = text("/proc/\(process)/status")?.split(separator: "\n") ?? []
        return lines.contains { $0.hasPrefix("TracerPid:") && !$0.hasSuffix("\t0") }
    }

    /// From `/proc`.
    static func usage(of process: Int32) -> ChildProcess.Usage {
        var usage = ChildProcess.Usage()
        let pages = text("/proc/\(process)/statm")?.split(separator: " ") ?? []
        if pages.count > 1 { usage.memoryBytes = (Int(pages[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) }
        guard let fields = stat(of: process), fields.count > 12, let user = Double(fields[11]),
            let system = Double(fields[12])
        else { return usage }
        usage.processorSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        return usage
    }
}
