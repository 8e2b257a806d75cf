// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization

/// A control group (cgroup v2) of one process: what it and everything that it starts may use together.
///
/// - SeeAlso: the kernel's `Documentation/admin-guide/cgroup-v2.rst`.
package final class ControlGroup: Sendable {
    /// What a group may use; 0: no limit.
    package struct Limits: Sendable, Equatable {
        /// Memory of all kinds, in bytes; shared memory counts for the group that touched it first.
        package var memoryBytes: UInt64
        /// Hundredths of one processor.
        package var processorPercent: UInt32
        /// Processes and threads.
        package var tasks: UInt32

        /// Leaves everything unlimited that is not given.
        package init(memoryBytes: UInt64 = 0, processorPercent: UInt32 = 0, tasks: UInt32 = 0) {
            self.memoryBytes = memoryBytes
            self.processorPercent = processorPercent
            self.tasks = tasks
        }
    }

    /// A limit that a group met.
    package enum Limit: String, Sendable {
        case memory
        case processor = "cpu"
        case tasks
    }

    /// The folder of the group.
    package let path: String
    /// The file that a process joins the group by, open for writing.
    let entrance: Int32
    private let isRemoved = Mutex(false)

    /// Makes a group.
    ///
    /// Limits of controllers that the parent does not hand on are left out.
    ///
    /// - Throws: ``SpawnError``.
    init(path: String, limits: Limits) throws(SpawnError) {
        self.path = path
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw SpawnError(step: "mkdir \(path)", number: errno) }
        entrance = open(path + "/cgroup.procs", O_WRONLY | O_CLOEXEC)
        guard entrance >= 0 else {
            let number = errno
            rmdir(path)
            throw SpawnError(step: "open \(path)/cgroup.procs", number: number)
        }
        if limits.memoryBytes > 0 {
            set("memory.max", "\(limits.memoryBytes)")
            set("memory.swap.max", "0")
            set("memory.oom.group", "1")
        }
        if limits.processorPercent > 0 { set("cpu.max", "\(UInt64(limits.processorPercent) * 1_000) 100000") }
        if limits.tasks > 0 { set("pids.max", "\(limits.tasks)") }
    }

    deinit {
        if entrance >= 0 { close(entrance) }
    }

    private func set(_ name: String, _ value: String) { ControlGroupFile.write(path + "/" + name, value) }

    private func number(_ name: String, _ key: String) -> Int? {
        guard let text = ProcessFile.text(path + "/" + name) else { return nil }
        if key.isEmpty { return Int(text.prefix { $0 != "\n" }) }
        let line = text.split(separator: "\n").first { $0.hasPrefix(key + " ") }
        return line.flatMap { Int($0.dropFirst(key.count + 1)) }
    }

    /// What the group uses; nil where the kernel does not count both.
    var usage: ChildProcess.Usage? {
        guard let memory = number("memory.current", ""), let time = number("cpu.stat", "usage_usec") else {
            return nil
        }
        return ChildProcess.Usage(memoryBytes: memory, processorSeconds: Double(time) / 1e6)
    }

    /// The limits that the group has met.
    var limitsMet: [Limit] {
        var met: [Limit] = []
        if number("memory.events", "oom_kill") ?? 0 > 0 { met.append(.memory) }
        if number("cpu.stat", "nr_throttled") ?? 0 > 0 { met.append(.processor) }
        if number("pids.events", "max") ?? 0 > 0 { met.append(.tasks) }
        return met
    }

    /// Ends every process of the group.
    func kill() { set("cgroup.kill", "1") }

    /// Removes the group, whose processes have ended or are about to; blocks for a moment.
    func remove() {
        let isFirst = isRemoved.withLock { isRemoved in
            defer { isRemoved = true }
            return !isRemoved
        }
        guard isFirst else { return }
        kill()
        ControlGroupFile.remove(path)
    }
}

/// The files of control groups.
enum ControlGroupFile {
    /// Whether the kernel took the value.
    @discardableResult
    static func write(_ path: String, _ value: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return value.withCString { Glibc.write(descriptor, $0, strlen($0)) } == value.utf8.count
    }

    /// Removes a group; its processes may take a moment to be gone.
    static func remove(_ path: String) {
        for _ in 0..<200 {
            if rmdir(path) == 0 || errno != EBUSY { return }
            usleep(1_000)
        }
    }
}
