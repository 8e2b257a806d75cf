// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

@testable import PluginHost

struct LoadingWatcherTests {
    private let folder: LoadingFolder

    init() throws { folder = try LoadingFolder() }

    /// A watcher of the temporary folder, and the changes it reports.
    private func watch(
        _ relative: String? = nil
    ) throws -> (watcher: PluginWatcher, changes: AsyncStream<PluginWatcher.Change>.Iterator) {
        let path = relative.map { folder[$0] } ?? folder.path
        let watcher = try PluginWatcher(
            sources: [.collection(path: path, class: .external)], quiet: .milliseconds(30), longest: .seconds(1))
        return (watcher, watcher.changes.makeAsyncIterator())
    }

    /// Whether these folders are reported, in one change or (on a slow machine) in several.
    private func reported(
        by changes: inout AsyncStream<PluginWatcher.Change>.Iterator, until expected: Set<String>, alone: Bool = false
    ) async -> Bool {
        var folders: Set<String> = []
        while !folders.isSuperset(of: expected) {
            guard let change = await changes.next() else { return false }
            folders.formUnion(change.folders)
        }
        return !alone || folders == expected
    }

    @Test(.timeLimit(.minutes(1))) func aNewFolderIsReported() async throws {
        var (watcher, changes) = try watch()

        try folder.writePlugin("a/deep/er", id: "a")
        try folder.write("a/deep/er/module.js", "x")

        #expect(await reported(by: &changes, until: [folder["a"]]))
        watcher.stop()
        #expect(await changes.next() == nil)
    }

    @Test(.timeLimit(.minutes(1))) func changesDeepBelowAreReportedUnderTheirPlugin() async throws {
        try folder.writePlugin("a/dist/nested", id: "a")
        try folder.writePlugin("b", id: "b")
        var (watcher, changes) = try watch()

        try folder.write("a/dist/nested/module.js", "changed")
        #expect(await reported(by: &changes, until: [folder["a"]]))
        try folder.makeFolder("b/later")
        #expect(await reported(by: &changes, until: [folder["b"]]))
        try folder.write("b/later/x.js", "x")
        #expect(await reported(by: &changes, until: [folder["b"]]))
        watcher.stop()
    }

    @Test(.timeLimit(.minutes(1))) func removedAndRenamedFoldersAreReported() async throws {
        try folder.writePlugin("a", id: "a")
        try folder.writePlugin("b", id: "b")
        var (watcher, changes) = try watch()

        try folder.remove("a")
        #expect(await reported(by: &changes, until: [folder["a"]]))
        rename(folder["b"], folder["c"])
        #expect(await reported(by: &changes, until: [folder["b"], folder["c"]]))
        watcher.stop()
    }

    @Test(.timeLimit(.minutes(1))) func theTargetOfASymlinkIsWatched() async throws {
        let elsewhere = try LoadingFolder()
        try elsewhere.writePlugin("p", id: "p")
        try folder.link("a", to: elsewhere["p"])
        var (watcher, changes) = try watch()

        try elsewhere.write("p/module.js", "x")
        #expect(await reported(by: &changes, until: [folder["a"]]))
        try folder.remove("a")
        #expect(await reported(by: &changes, until: [folder["a"]]))
        watcher.stop()
    }

    @Test(.timeLimit(.minutes(1))) func plainFilesAndNodeModulesAreIgnored() async throws {
        try folder.writePlugin("a", id: "a")
        try folder.makeFolder("b/node_modules/x")
        var (watcher, changes) = try watch()

        try folder.write("readme.txt", "x")
        try folder.write("b/node_modules/x/y.js", "x")
        try folder.write("a/module.js", "x")

        #expect(await reported(by: &changes, until: [folder["a"]], alone: true))
        watcher.stop()
    }

    @Test(.timeLimit(.minutes(1))) func aPluginsFolderThatComesLaterIsPickedUp() async throws {
        var (watcher, changes) = try watch("plugins")

        try folder.writePlugin("plugins/a", id: "a")

        #expect(await reported(by: &changes, until: [folder["plugins/a"]]))
        watcher.stop()
    }

    @Test(.timeLimit(.minutes(1))) func aPluginsFolderThatIsMadeAnewIsWatchedAgain() async throws {
        try folder.writePlugin("plugins/a", id: "a")
        var (watcher, changes) = try watch("plugins")

        try folder.remove("plugins")
        #expect(await reported(by: &changes, until: [folder["plugins/a"]]))
        try folder.writePlugin("plugins/b", id: "b")
        #expect(await reported(by: &changes, until: [folder["plugins/b"]]))
        watcher.stop()
    }

    @Test func anOverflowAsksForAFullRescan() throws {
        try folder.writePlugin("a", id: "a")
        let inotify = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        defer { close(inotify) }
        var tree = WatchTree(inotify: inotify, sources: [.collection(path: folder.path, class: .external)])

        tree.handle(WatchEvent(watch: -1, mask: UInt32(IN_Q_OVERFLOW), name: ""))

        #expect(tree.takeFindings().change.needsFullRescan)
        #expect(tree.takeFindings().isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func endingTheWatcherEndsTheStreamAndItsDescriptors() async throws {
        // Few rounds: the kernel gives a user 128 of these, and takes its time to count those that are closed.
        for _ in 0..<5 {
            let watcher = try watch().watcher
            #expect(try watchesOfTheFolder() == 1)
            watcher.stop()
            watcher.stop()
            for await _ in watcher.changes {}
            #expect(try watchesOfTheFolder() == 0)
        }
    }

    /// How many descriptors of this process watch the temporary folder, which the kernel names by its inode.
    private func watchesOfTheFolder() throws -> Int {
        var status = stat()
        try #require(stat(folder.path, &status) == 0)
        let inode = "ino:" + String(status.st_ino, radix: 16) + " "
        return try FileSystem.names(in: "/proc/self/fdinfo").count { name in
            (try? String(contentsOfFile: "/proc/self/fdinfo/\(name)", encoding: .utf8))?.contains(inode) == true
        }
    }

    @Test func eventsAreDueAfterAPauseOrTheLongestTime() {
        let start = ContinuousClock.now
        var quiescence = Quiescence(quiet: .milliseconds(200), longest: .seconds(2))
        #expect(quiescence.remaining(at: start) == nil)

        quiescence.note(at: start)
        let early = quiescence.takeIfDue(at: start + .milliseconds(199))
        quiescence.note(at: start + .milliseconds(150))
        let afterPause = quiescence.remaining(at: start + .milliseconds(200))
        quiescence.note(at: start + .milliseconds(1950))
        let beforeLongest = quiescence.remaining(at: start + .milliseconds(1960))
        let late = quiescence.takeIfDue(at: start + .seconds(2))

        #expect(!early)
        #expect(afterPause == .milliseconds(150))
        #expect(beforeLongest == .milliseconds(40))
        #expect(late)
        #expect(quiescence.remaining(at: start + .seconds(2)) == nil)
    }

    @Test(arguments: [
        [UInt8](repeating: 0, count: 15), [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255],
    ])
    func cutOffEventsAreNotRead(bytes: [UInt8]) {
        let event = bytes.withUnsafeBytes { raw in
            var rest = raw
            return WatchEvent(parsing: &rest)?.watch
        }

        #expect(event == nil)
    }
}
