// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Processes

/// Starting, ending and measuring processes.
struct ChildProcessTests {
    private static func shell(_ script: String, _ descriptors: [Int32] = [], group: ControlGroup? = nil) throws
        -> ChildProcess
    {
        try ProcessSpawner.startAndWait(
            ProcessLaunch(
                path: "/bin/sh", arguments: ["sh", "-c", script], environment: ["A=b"], descriptors: descriptors,
                group: group))
    }

    /// Everything that the process writes, until it ends.
    private static func output(_ child: ChildProcess) -> String {
        let file = FileHandle(fileDescriptor: child.output, closeOnDealloc: true)
        defer { close(child.errors) }
        return String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    }

    @Test func aProcessFindsWhatItWasGivenAndNothingElse() throws {
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        let given = open("/etc/hostname", O_RDONLY | O_CLOEXEC)
        defer { close(given) }

        let child = try Self.shell("/usr/bin/env; ls -l /proc/self/fd", [given])
        let text = Self.output(child)
        let end = child.wait()

        #expect(end.status == .exited(0))
        #expect(text.contains("A=b\n"))
        #expect(text.contains("3 -> /etc/hostname"))
        // The listing's own descriptor is the only other one.
        #expect(!text.contains(" 5 -> "))
    }

    @Test(arguments: [SIGSEGV, SIGTERM, SIGPIPE, SIGINT])
    func whatTheServerIgnoresOrBlocksEndsItsChildren(number: Int32) async throws {
        let status = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var all = sigset_t()
                sigfillset(&all)
                pthread_sigmask(SIG_BLOCK, &all, nil)
                let child = try? Self.shell("kill -\(number) $$; sleep 60")
                if let child { _ = Self.output(child) }
                continuation.resume(returning: child?.wait().status)
            }
        }

        #expect(status == .signalled(number))
    }

    @Test func killingEndsWhatTheProcessStartedAsWell() throws {
        let child = try Self.shell("sleep 600 & echo $!; wait")
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(child.output, &bytes, bytes.count)
        let grandchild = try #require(
            Int32(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).dropLast()))

        child.kill()
        let end = child.wait()
        close(child.output)
        close(child.errors)

        #expect(end.status == .signalled(SIGKILL))
        // It may wait for init to reap it; it does not sleep any more.
        #expect(ProcessFile.text("/proc/\(grandchild)/stat")?.contains(") S ") != true)
    }

    @Test func aProcessThatHasEndedIsNotSignalled() throws {
        let child = try Self.shell("exit 7")
        _ = Self.output(child)

        #expect(child.wait().status == .exited(7))
        child.signal(SIGKILL)
        child.kill()
        #expect(child.usage == ChildProcess.Usage())
    }

    @Test func whatAProcessUsesIsMeasured() throws {
        // It waits for a line until it is killed.
        let line = Pipe()
        let child = try Self.shell(
            "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; read x <&3",
            [line.fileHandleForReading.fileDescriptor])
        var byte: UInt8 = 0
        _ = read(child.output, &byte, 1)
        let usage = child.usage
        child.kill()
        let end = child.wait()
        withExtendedLifetime(line) {}
        close(child.output)
        close(child.errors)

        #expect(usage.memoryBytes > 100_000)
        #expect(usage.processorSeconds > 0)
        #expect(end.processorSeconds >= usage.processorSeconds)
    }

    @Test func aProgramThatIsNotThereIsAnError() {
        #expect(throws: SpawnError(step: "execute", number: ENOENT)) {
            try ProcessSpawner.startAndWait(ProcessLaunch(path: "/nowhere/program"))
        }
    }
}
