// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import Catalog

extension ProgramSuite {
    /// Installations that are cut off: the plugins folder has the old or the new version, whole, and no rubbish.
    struct InterruptionTests {
        /// A folder with version 1.0.0, and a catalogue with 1.1.0 whose download has a fault.
        private static func update(
            fault: String, _ body: (Workplace, CLI, CatalogueServer, [String: Data]) async throws -> Void
        ) async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            try await Package().zip(place.folder.appending(path: "old.zip"))
            _ = try await cli.plugins(["install", place.path("old.zip")])
            let facts: JSONObject = fault.isEmpty ? [:] : ["fault": .string(fault)]
            try await server.publish([(Package(version: "1.1.0", ballast: 300_000), facts)])
            let before = try place.tree()
            try #require(!before.isEmpty)
            try await body(place, cli, server, before)
        }

        private static func expectOld(_ place: Workplace, _ before: [String: Data]) throws {
            #expect(try place.tree() == before)
            // The next command that changes something clears up what a killed one left.
            try place.clearUp()
            #expect(try place.tree() == before)
            #expect(try place.rubbish().isEmpty)
            #expect(
                try PluginLockFile(of: PluginsFolder(path: place.plugins.path)).plugins["acme-sine-panel"]?.version
                    == "1.0.0")
        }

        @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, 130), (SIGKILL, 137)] as [(Int32, Int32)])
        func aSignalDuringADownloadLeavesTheOldVersion(_ signal: Int32, _ status: Int32) async throws {
            try await Self.update(fault: "stall:100000") { place, cli, server, before in
                let words = [
                    "plugins", "update", "acme-sine-panel", "--repo", server.repo, "--pluginsDir", place.plugins.path,
                ]
                let (program, _, _) = try cli.start(words)
                try await server.waitForStall()
                program.signal(signal)

                #expect(try await program.exitStatus() == status)
                if signal != SIGKILL { #expect(try place.rubbish().isEmpty) }
                try Self.expectOld(place, before)
            }
        }

        /// `nohup` means that the program goes on.
        @Test func aSignalThatWasIgnoredBeforeStaysIgnored() async throws {
            try await Self.update(fault: "stall:100000") { place, cli, server, before in
                let words = [
                    "plugins", "update", "acme-sine-panel", "--repo", server.repo, "--pluginsDir", place.plugins.path,
                ]
                let (program, _, _) = try cli.start(words, before: "trap '' HUP;")
                try await server.waitForStall()
                program.signal(SIGHUP)

                let status = try String(contentsOfFile: "/proc/\(program.pid)/status", encoding: .utf8)
                let ignored = try #require(status.firstMatch(of: /SigIgn:\s*([0-9a-f]+)/)?.1)
                #expect((UInt64(ignored, radix: 16) ?? 0) & 1 == 1, "SIGHUP is signal 1")
                #expect(program.isRunning)
                program.signal(SIGTERM)
                #expect(try await program.exitStatus() == 130)
                try Self.expectOld(place, before)
            }
        }

        @Test(
            arguments: [
                ("close:100000", Int32(69), "download-failed"), ("corrupt", 65, "checksum-mismatch"),
                ("status:503", 69, "download-failed"), ("status:401", 77, "catalog-refused"),
                ("status:404", 69, "download-failed"),
            ] as [(String, Int32, String)])
        func aDownloadThatFailsLeavesTheOldVersion(_ fault: String, _ status: Int32, _ code: String) async throws {
            try await Self.update(fault: fault) { place, cli, server, before in
                let outcome = try await cli.plugins(["update", "acme-sine-panel", "--repo", server.repo])

                #expect(outcome.status == status, "\(outcome.errors)")
                #expect(outcome.errors.contains("[\(code)]"))
                #expect(outcome.output.isEmpty)
                try Self.expectOld(place, before)
            }
        }

        @Test(arguments: ["close-once:100000", "corrupt-once", "no-range"])
        func aFaultThatPassesIsSurvived(_ fault: String) async throws {
            try await Self.update(fault: fault) { place, cli, server, _ in
                let outcome = try await cli.plugins(["update", "acme-sine-panel", "--repo", server.repo])

                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(try place.version() == "1.1.0")
                #expect(try place.rubbish().isEmpty)
                let downloads = try await server.requests().filter {
                    $0["path"]?.string?.hasSuffix("/download") == true
                }
                if fault.hasPrefix("close") {
                    #expect(downloads.count == 2)
                    // How much of what was sent had come when the connection broke is not certain.
                    let range = downloads.last?["headers"]?["range"]?.string ?? ""
                    let start = range.wholeMatch(of: /bytes=([0-9]+)-/).flatMap { Int($0.output.1) }
                    #expect((1...100_000).contains(start ?? 0), "\(range)")
                    #expect(downloads.last?["headers"]?["grafana-retrycount"]?.string == "1")
                }
            }
        }

        @Test func aFileThatCannotBeWrittenLeavesTheOldVersion() async throws {
            try await Self.update(fault: "") { place, cli, server, before in
                // 100 blocks of 1 KiB: the archive does not fit, and without the trap a signal might end the program.
                let words = [
                    "plugins", "update", "acme-sine-panel", "--repo", server.repo, "--pluginsDir", place.plugins.path,
                ]
                let (program, _, errors) = try cli.start(words, before: "trap '' XFSZ; ulimit -f 100;")

                #expect(try await program.exitStatus() == 74)
                #expect(try String(contentsOf: errors, encoding: .utf8).contains("File too large"))
                #expect(try place.rubbish().isEmpty)
                try Self.expectOld(place, before)
            }
        }

        /// Whether a small file system can be mounted: it needs root, and a container may forbid it.
        static let mayMount: Bool = {
            let probe = Process()
            probe.executableURL = URL(filePath: "/usr/bin/env")
            probe.arguments = ["unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/tmp"]
            (probe.standardOutput, probe.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
            guard getuid() == 0, (try? probe.run()) != nil else { return false }
            probe.waitUntilExit()
            return probe.terminationStatus == 0
        }()

        @Test(.enabled(if: InterruptionTests.mayMount, "a small file system cannot be mounted here"))
        func aFullDiskLeavesTheOldVersion() async throws {
            try await Self.update(fault: "") { place, cli, server, before in
                let words = [
                    "plugins", "update", "acme-sine-panel", "--repo", server.repo, "--pluginsDir", place.plugins.path,
                ]
                let script = """
                    mount -t tmpfs -o size=400k none '\(place.plugins.path)' && cp -a '\(place.path("copy"))'/. '\(place.plugins.path)' || exit 99
                    "$@"; code=$?
                    rm -rf '\(place.path("after"))'; cp -a '\(place.plugins.path)' '\(place.path("after"))'; exit $code
                    """
                try FileManager.default.copyItem(atPath: place.plugins.path, toPath: place.path("copy"))
                let log = place.folder.appending(path: "mount.log")
                let program = try LeashedProgram(
                    "unshare",
                    ["-m", "--propagation", "private", "bash", "-c", script, "bash", try CLI.program()] + words,
                    environment: ["GRAFANA_TRUST": place.trust.path], log: log)
                let status = try await program.exitStatus()
                // The mount itself can fail only where the probe of the trait was wrong.
                try #require(status != 99, "\(program.output)")

                #expect(status == 74, "\(program.output)")
                #expect(program.output.contains("No space left on device"))
                let after = try PluginsFolder(path: place.path("after")).installed("acme-sine-panel")
                #expect(after?.facts.version == "1.0.0")
                #expect(!FileManager.default.fileExists(atPath: place.path("after/.catalog/staging")))
                try Self.expectOld(place, before)
            }
        }

        /// Every call that changes a folder is the last one once.
        @Test func aKillAtAnyPointLeavesTheOldOrTheNewVersion() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            let shim = place.path("kill_at.so")
            let source = Workplace.repository.appending(path: "Tests/Catalog/kill_at.c").path
            let built = try await Tool.run("cc", ["-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"])
            try #require(built.status == 0, "\(built.output)")
            try await Package().zip(place.folder.appending(path: "old.zip"))
            try await Package(version: "1.1.0").zip(place.folder.appending(path: "new.zip"))
            var trees: [String: [String: Data]] = [:]
            for (name, version) in [("old", "1.0.0"), ("new", "1.1.0")] {
                _ = try await cli.plugins(["install", place.path("\(name).zip")])
                trees[version] = try place.tree()
            }
            // Without a kept version, so that all points of the first update are met.
            try FileManager.default.removeItem(at: place.plugins)
            _ = try await cli.plugins(["install", place.path("old.zip")])
            let origin = place.folder.appending(path: "origin")
            try FileManager.default.moveItem(at: place.plugins, to: origin)
            var reached: Set<String> = []
            for point in 1...200 {
                try? FileManager.default.removeItem(at: place.plugins)
                try FileManager.default.copyItem(at: origin, to: place.plugins)
                let outcome = try await cli.plugins(
                    ["install", place.path("new.zip")], environment: ["LD_PRELOAD": shim, "KILL_AT": "\(point)"])
                if outcome.status == 0 { break }
                try #require(outcome.status == 137, "\(point): \(outcome.errors)")
                let version = try #require(try place.version(), "\(point)")
                #expect(try place.tree() == trees[version], "killed at \(point)")
                try place.clearUp()
                #expect(try place.tree() == trees[version], "killed at \(point)")
                #expect(try place.rubbish().isEmpty, "killed at \(point)")
                let lock = try PluginLockFile(of: PluginsFolder(path: place.plugins.path))
                #expect(lock.plugins["acme-sine-panel"]?.version == version, "killed at \(point)")
                reached.insert(version)
            }
            #expect(reached == ["1.0.0", "1.1.0"])
        }

        /// Every call that may find a full disk, and every renaming, fails once.
        @Test(arguments: ["FULL_FROM", "RENAME_FAILS_AT"])
        func aFullDiskAtAnyPointLeavesTheOldVersion(_ variable: String) async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            let shim = place.path("kill_at.so")
            let source = Workplace.repository.appending(path: "Tests/Catalog/kill_at.c").path
            let built = try await Tool.run("cc", ["-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"])
            try #require(built.status == 0, "\(built.output)")
            for version in ["0.9.0", "1.0.0", "1.1.0"] {
                try await Package(version: version).zip(place.folder.appending(path: "\(version).zip"))
            }
            for version in ["0.9.0", "1.0.0"] { _ = try await cli.plugins(["install", place.path("\(version).zip")]) }
            let folder = PluginsFolder(path: place.plugins.path)
            let (before, lock) = (try place.tree(), try PluginLockFile(of: folder))
            var failures = 0
            for point in 1...100 {
                let outcome = try await cli.plugins(
                    ["install", place.path("1.1.0.zip")], environment: ["LD_PRELOAD": shim, variable: "\(point)"])
                if outcome.status == 0 { break }
                failures += 1
                #expect(outcome.status == 74, "\(point): \(outcome.errors)")
                #expect(try place.tree() == before, "failed at \(point)")
                #expect(try place.rubbish().isEmpty, "failed at \(point)")
                #expect(try PluginLockFile(of: folder) == lock, "failed at \(point)")
                #expect(try PluginChanges(folder: folder).kept("acme-sine-panel")?.version == "0.9.0", "\(point)")
            }
            #expect((5..<100).contains(failures))
            #expect(try place.version() == "1.1.0")
            #expect(try place.rubbish().isEmpty)
            #expect(try PluginChanges(folder: folder).kept("acme-sine-panel")?.version == "1.0.0")
        }

        @Test func twoAtOnceDoNotDamageEachOther() async throws {
            try await Self.update(fault: "stall:100000") { place, cli, server, before in
                let words = [
                    "plugins", "update", "acme-sine-panel", "--repo", server.repo, "--pluginsDir", place.plugins.path,
                ]
                let (first, _, _) = try cli.start(words)
                try await server.waitForStall()

                let second = try await cli.plugins(["remove", "acme-sine-panel"])

                #expect(second.status == 75)
                #expect(second.errors.contains("(pid \(first.pid))"), "\(second.errors)")
                #expect(second.errors.contains("[folder-busy]"))
                first.signal(SIGTERM)
                #expect(try await first.exitStatus() == 130)
                try Self.expectOld(place, before)
            }
        }
    }
}
