// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Processes

/// Control groups: what is written, and, where this system has a hierarchy that a test may use, what the kernel does.
struct ControlGroupTests {
    /// A folder with the files of a control group whose controllers are all handed on.
    private static func withPretendedGroup<R>(_ body: (String) throws -> R) throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "groups-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for (name, text) in [
            ("cgroup.procs", ""), ("cgroup.controllers", "cpu memory pids\n"), ("cgroup.subtree_control", ""),
        ] {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
        return try body(folder)
    }

    /// A hierarchy of version 2 that a test may make groups in; nil where there is none, or no right to.
    private static let hierarchy: String? = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].first { path in
        FileManager.default.fileExists(atPath: path + "/cgroup.controllers")
            && access(path + "/cgroup.procs", W_OK) == 0 && access(path, W_OK) == 0
    }

    @Test func limitsAreWrittenInTheKernelsUnits() throws {
        try Self.withPretendedGroup { folder in
            let path = folder + "/one"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for name in ["cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max"] {
                try "".write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
            }

            let group = try ControlGroup(
                path: path, limits: .init(memoryBytes: 64 << 20, processorPercent: 150, tasks: 32))

            let written = try ["memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max"].map {
                try String(contentsOfFile: "\(group.path)/\($0)", encoding: .utf8)
            }
            #expect(written == ["67108864", "0", "1", "150000 100000", "32"])
        }
    }

    @Test func theLimitThatWasMetIsTold() throws {
        try Self.withPretendedGroup { folder in
            let events = [
                "memory.events": "low 0\nmax 31\noom 1\noom_kill 1\n", "memory.current": "1048576\n",
                "cpu.stat": "usage_usec 2500000\nnr_throttled 0\n", "pids.events": "max 3\n",
            ]
            for (name, text) in events {
                try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            }
            let group = try ControlGroup(path: folder, limits: .init())

            #expect(group.limitsMet == [.memory, .tasks])
            #expect(group.usage == ChildProcess.Usage(memoryBytes: 1_048_576, processorSeconds: 2.5))
        }
    }

    @Test func aFolderThatIsNoGroupIsRefused() {
        #expect(throws: ControlGroups.Unavailable.self) { try ControlGroups(.folder("/tmp")) }
        #expect(throws: ControlGroups.Unavailable.self) { try ControlGroups(.none) }
    }

    @Test(.enabled(if: hierarchy != nil, "no writable cgroup v2 hierarchy"))
    func aProcessJoinsItsGroupAndTheGroupEndsWithIt() throws {
        let base = try #require(Self.hierarchy) + "/processes-tests-\(UUID().uuidString)"
        #expect(mkdir(base, 0o755) == 0)
        defer { rmdir(base) }
        let groups = try ControlGroups(.folder(base))
        let group = try groups.make("acme/../x", limits: .init(memoryBytes: 256 << 20, tasks: 64))

        // It leaves its process group, and is still found.
        let child = try ProcessSpawner.startAndWait(
            ProcessLaunch(
                path: "/bin/sh",
                arguments: ["sh", "-c", "setsid sleep 600 & cat /proc/self/cgroup; echo end; read x < /dev/zero"],
                environment: ["PATH=/usr/bin:/bin"], group: group))
        var text = ""
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while !text.contains("end\n") {
            let count = read(child.output, &bytes, bytes.count)
            guard count > 0 else { break }
            text += String(decoding: bytes[..<count], as: UTF8.self)
        }
        let members = ProcessFile.text(group.path + "/cgroup.procs")?.split(separator: "\n").count
        child.kill()
        _ = child.wait()
        close(child.output)
        close(child.errors)

        #expect(text.contains("0::") && text.contains(String(group.path.dropFirst(base.count))))
        #expect(group.path.hasSuffix("-acme____x"))
        #expect(members ?? 0 >= 2)
        #expect(!FileManager.default.fileExists(atPath: group.path))
    }

    @Test(.enabled(if: hierarchy != nil, "no writable cgroup v2 hierarchy"))
    func whatAnotherLifeOfTheServerLeftIsRemoved() throws {
        let base = try #require(Self.hierarchy) + "/processes-tests-\(UUID().uuidString)"
        #expect(mkdir(base, 0o755) == 0)
        defer { rmdir(base) }
        let left = try ControlGroups(.folder(base)).make("left", limits: .init())

        _ = try ControlGroups(.folder(base))

        #expect(!FileManager.default.fileExists(atPath: left.path))
    }
}
