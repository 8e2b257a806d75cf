// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import Catalog

extension ProgramSuite {
    /// The commands on a plugins folder, with archives and folders.
    struct PluginProgramTests {
        @Test func aPluginLivesFromInstallToRemove() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try await Package().zip(place.folder.appending(path: "old.zip"))
            try await Package(version: "1.1.0").zip(place.folder.appending(path: "new.zip"))

            let empty = try await cli.plugins(["ls"])
            let installed = try await cli.plugins(["install", place.path("old.zip")])
            let again = try await cli.plugins(["install", place.path("old.zip")])
            let updated = try await cli.plugins(["install", place.path("new.zip")])
            let listed = try await cli.plugins(["ls"])
            let back = try await cli.plugins(["rollback", "acme-sine-panel"])
            let versionBack = try place.version()
            let forth = try await cli.plugins(["rollback", "acme-sine-panel"])
            let verified = try await cli.plugins(["verify"])
            let healthy = try await cli.plugins(["doctor"])
            let removed = try await cli.plugins(["uninstall", "acme-sine-panel"])

            #expect(empty.output == "no installed plugins found\n")
            #expect(installed.status == 0, "\(installed.errors)")
            #expect(
                installed.output
                    == "✔ Downloaded and extracted acme-sine-panel v1.0.0 zip successfully to \(place.plugins.path)/acme-sine-panel\n"
            )
            #expect(installed.errors.contains("Please restart Grafana after installing or removing plugins."))
            #expect(again.status == 0)
            #expect(again.output == "Plugin acme-sine-panel v1.0.0 already installed.\n")
            #expect(updated.status == 0)
            #expect(listed.output == "installed plugins:\nacme-sine-panel @ 1.1.0\n")
            #expect(back.status == 0)
            #expect(versionBack == "1.0.0")
            #expect(forth.output.contains("acme-sine-panel is 1.1.0 again; 1.0.0 is kept"))
            #expect(verified.status == 0, "\(verified.output)")
            #expect(healthy.status == 0, "\(healthy.output)")
            #expect(removed.status == 0)
            #expect(try place.tree().isEmpty)
            #expect(try place.rubbish().isEmpty)
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.plugins.path + "/.catalog/kept").isEmpty)
        }

        @Test func grafanasFlagsWorkBeforeAndAfterTheCommand() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try await Package().zip(place.folder.appending(path: "a.zip"))

            let before = try await cli.run(
                [
                    "--pluginsDir", place.plugins.path, "--pluginUrl", place.path("a.zip"), "plugins", "install",
                    "acme-sine-panel",
                ])
            let variables = try await cli.run(["plugins", "ls"], environment: ["GF_PLUGIN_DIR": place.plugins.path])

            #expect(before.status == 0, "\(before.errors)")
            #expect(variables.output.contains("acme-sine-panel @ 1.0.0"))
        }

        @Test func aFolderIsInstalledAsAnArchiveIs() async throws {
            let place = try Workplace()
            try Package().write(to: place.folder.appending(path: "source"))
            let outcome = try await CLI(place: place).plugins(["install", place.path("source"), "--json"])

            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.json["schemaVersion"] == 1)
            let plugin = outcome.json["plugins"]?[0]
            #expect(plugin?["source"]?["kind"] == "folder")
            #expect(plugin?["signature"]?["fingerprint"]?.string == (try Publisher.acme.fingerprint))
            #expect(try place.version() == "1.0.0")
        }

        @Test func nothingHappensInADryRun() async throws {
            let place = try Workplace()
            try Package().write(to: place.folder.appending(path: "source"))
            let outcome = try await CLI(place: place).plugins(["install", place.path("source"), "--dry-run"])

            #expect(outcome.status == 0)
            #expect(outcome.output.contains("Would put acme-sine-panel v1.0.0 into"))
            #expect(try place.tree().isEmpty)
            #expect(try place.rubbish().isEmpty)
        }

        @Test func whoSignedDecides() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Package(publisher: nil).write(to: place.folder.appending(path: "unsigned"))
            try Package(publisher: .other).write(to: place.folder.appending(path: "other"))
            try Package().write(to: place.folder.appending(path: "modified"))
            try Data("evil()".utf8).write(to: place.folder.appending(path: "modified/module.js"))

            for name in ["unsigned", "other", "modified"] {
                let outcome = try await cli.plugins(["install", place.path(name)])
                #expect(outcome.status == 77, "\(name): \(outcome.errors)")
                #expect(outcome.errors.contains("[signature-refused]"))
                #expect(try place.tree().isEmpty)
            }
            #expect(try await cli.plugins(["install", place.path("unsigned"), "--allow-unsigned"]).status == 0)
            for name in ["other", "modified"] {
                #expect(
                    try await cli.plugins(["install", place.path(name), "--allow-unsigned", "--force"]).status == 77)
            }
        }

        /// The server would refuse the nested plugin, so the package is refused before anything changes.
        @Test func aKeySignsNestedPluginsOnlyWhereItMay() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Publisher.acme.trust(in: place.trust, plugins: ["acme-*"])
            try Package(nested: "grafana-other-panel").write(to: place.folder.appending(path: "foreign"))
            try Package(nested: "acme-other-panel").write(to: place.folder.appending(path: "own"))

            let foreign = try await cli.plugins(["install", place.path("foreign")])
            #expect(foreign.status == 77, "\(foreign.errors)")
            #expect(foreign.errors.contains("may not sign the plugin 'grafana-other-panel'"), "\(foreign.errors)")
            #expect(try place.tree().isEmpty)
            let own = try await cli.plugins(["install", place.path("own")])
            #expect(own.status == 0, "\(own.errors)")
        }

        @Test func anotherPublisherAndAnOlderVersionAreRefused() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Publisher.other.trust(in: place.trust)
            try Package(version: "1.1.0").write(to: place.folder.appending(path: "first"))
            try Package(version: "1.2.0", publisher: .other).write(to: place.folder.appending(path: "other"))
            try Package(version: "1.2.0", publisher: nil).write(to: place.folder.appending(path: "unsigned"))
            try Package(version: "1.0.0").write(to: place.folder.appending(path: "older"))
            _ = try await cli.plugins(["install", place.path("first")])

            let other = try await cli.plugins(["install", place.path("other")])
            let unsigned = try await cli.plugins(["install", place.path("unsigned"), "--allow-unsigned"])
            let older = try await cli.plugins(["install", place.path("older")])
            // The pin outlives the plugin.
            _ = try await cli.plugins(["remove", "acme-sine-panel"])
            let anew = try await cli.plugins(["install", place.path("other")])
            let accepted = try await cli.plugins(["install", place.path("other"), "--accept-publisher"])
            let down = try await cli.plugins([
                "install", place.path("older"), "--accept-publisher", "--allow-downgrade",
            ])

            for outcome in [other, unsigned, anew] {
                #expect(outcome.status == 77)
                #expect(outcome.errors.contains("[publisher-changed]"), "\(outcome.errors)")
            }
            #expect(older.status == 77)
            #expect(older.errors.contains("[downgrade-refused]"))
            #expect(accepted.status == 0, "\(accepted.errors)")
            #expect(down.status == 0, "\(down.errors)")
        }

        @Test func theSuccessorOfAKeyIsTheSamePublisher() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Package().write(to: place.folder.appending(path: "first"))
            try Package(version: "1.1.0", publisher: .other).write(to: place.folder.appending(path: "second"))
            _ = try await cli.plugins(["install", place.path("first")])
            try Publisher.other.trust(in: place.trust, after: .acme)

            let second = try await cli.plugins(["install", place.path("second")])
            let back = try await cli.plugins(["rollback", "acme-sine-panel"])

            #expect(second.status == 0, "\(second.errors)")
            #expect(back.status == 0, "\(back.errors)")
            // Going back is no change of the publisher.
            let lock = try PluginLockFile(of: PluginsFolder(path: place.plugins.path))
            #expect(lock.publishers == ["acme-sine-panel": try Publisher.other.fingerprint])
        }

        @Test func goingBackBringsThePublisherBack() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Publisher.other.trust(in: place.trust)
            try Package().write(to: place.folder.appending(path: "first"))
            try Package(version: "1.1.0", publisher: .other).write(to: place.folder.appending(path: "other"))
            try Package(version: "1.2.0").write(to: place.folder.appending(path: "third"))
            _ = try await cli.plugins(["install", place.path("first")])
            let accepted = try await cli.plugins(["install", place.path("other"), "--accept-publisher"])

            let back = try await cli.plugins(["rollback", "acme-sine-panel"])
            let other = try await cli.plugins(["install", place.path("other")])
            let third = try await cli.plugins(["install", place.path("third")])

            #expect(accepted.status == 0 && back.status == 0, "\(accepted.errors)\(back.errors)")
            #expect(other.status == 77, "\(other.errors)")
            let words = "signed by the key \(try Publisher.acme.fingerprint) (acme)"
            #expect(other.errors.contains(words), "\(other.errors)")
            #expect(third.status == 0, "\(third.errors)")
        }

        @Test func aPluginThatWasCopiedThereIsRememberedWithItsPublisher() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Publisher.other.trust(in: place.trust)
            try Package().write(to: place.plugins.appending(path: "acme-sine-panel"))
            try Package(version: "1.1.0").write(to: place.folder.appending(path: "newer"))
            try Package(version: "1.2.0", publisher: .other).write(to: place.folder.appending(path: "other"))

            let newer = try await cli.plugins(["install", place.path("newer")])
            let back = try await cli.plugins(["rollback", "acme-sine-panel"])
            let other = try await cli.plugins(["install", place.path("other")])
            // The version that is kept is judged before it runs again.
            try Data("evil()".utf8).write(
                to: place.plugins.appending(path: ".catalog/kept/acme-sine-panel/tree/module.js"))
            let changed = try await cli.plugins(["rollback", "acme-sine-panel"])

            #expect(newer.status == 0 && back.status == 0, "\(newer.errors)\(back.errors)")
            #expect(other.status == 77 && other.errors.contains("[publisher-changed]"), "\(other.errors)")
            #expect(changed.status == 77 && changed.errors.contains("[signature-refused]"), "\(changed.errors)")
            #expect(try place.version() == "1.0.0")
        }

        @Test func morePermissionsNeedAYes() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Package(permissions: ["hosts": ["a.example"]]).write(to: place.folder.appending(path: "first"))
            try Package(version: "1.1.0", permissions: ["hosts": ["a.example"]]).write(
                to: place.folder.appending(path: "same"))
            try Package(version: "1.2.0", permissions: ["hosts": ["a.example", "b.example"]])
                .write(to: place.folder.appending(path: "more"))

            let first = try await cli.plugins(["install", place.path("first")])
            let granted = try await cli.plugins(["install", place.path("first"), "--yes"])
            let same = try await cli.plugins(["install", place.path("same")])
            let more = try await cli.plugins(["install", place.path("more")])

            #expect(first.status == 77)
            #expect(first.errors.contains("  hosts: a.example\n"))
            #expect(granted.status == 0)
            #expect(same.status == 0, "\(same.errors)")
            #expect(more.status == 77)
            #expect(more.errors.contains("asks for more than before:\n  hosts: b.example\n"))
            #expect(try place.version() == "1.1.0")
        }

        @Test func aPinnedPluginStays() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Package().write(to: place.folder.appending(path: "old"))
            try Package(version: "1.1.0").write(to: place.folder.appending(path: "new"))
            _ = try await cli.plugins(["install", place.path("old")])

            #expect(try await cli.plugins(["pin", "acme-sine-panel"]).status == 0)
            let pinned = try await cli.plugins(["install", place.path("new")])
            #expect(try await cli.plugins(["unpin", "acme-sine-panel"]).status == 0)
            let free = try await cli.plugins(["install", place.path("new")])

            #expect(pinned.status == 77)
            #expect(pinned.errors.contains("[version-pinned]"))
            #expect(free.status == 0)
        }

        @Test func changedFilesAreFound() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try Package(publisher: nil).write(to: place.folder.appending(path: "source"))
            _ = try await cli.plugins(["install", place.path("source"), "--allow-unsigned"])
            try Data("evil()".utf8).write(to: place.plugins.appending(path: "acme-sine-panel/module.js"))

            let verified = try await cli.plugins(["verify", "--allow-unsigned", "--json"])

            #expect(verified.status == 77)
            #expect(verified.json["plugins"]?[0]?["fact"] == "its files are not those that were installed")
        }

        @Test func theLockFileBringsTheSameElsewhere() async throws {
            let place = try Workplace()
            let elsewhere = try Workplace()
            try await Package().zip(place.folder.appending(path: "a.zip"))
            _ = try await CLI(place: place).plugins(["install", place.path("a.zip")])
            let lock = "\(place.plugins.path)/plugins.lock.json"

            let same = try await CLI(place: elsewhere).plugins(["install", "--lock-file", lock])
            let tree = try elsewhere.tree()
            _ = try await CLI(place: elsewhere).plugins(["remove", "acme-sine-panel"])
            try await Package(ballast: 10).zip(place.folder.appending(path: "a.zip"))
            let other = try await CLI(place: elsewhere).plugins(["install", "--lock-file", lock])

            #expect(same.status == 0, "\(same.errors)")
            #expect(tree == (try place.tree()))
            #expect(other.status == 65)
            #expect(other.errors.contains("[checksum-mismatch]"))
            #expect(try elsewhere.tree().isEmpty)
        }

        @Test func aLockedFolderIsExactlyWhatTheLockFileSays() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            for (id, version) in [("acme-a-panel", "1.0.0"), ("acme-b-panel", "1.0.0"), ("acme-b-panel", "1.1.0")] {
                try await Package(id: id, version: version).zip(place.folder.appending(path: "\(id)-\(version).zip"))
            }
            for name in ["acme-a-panel-1.0.0", "acme-b-panel-1.0.0"] {
                _ = try await cli.plugins(["install", place.path("\(name).zip")])
            }
            _ = try await cli.plugins(["pin", "acme-a-panel"])
            let wanted = try place.tree()
            let lock = place.path("wanted.lock.json")
            try FileManager.default.copyItem(atPath: "\(place.plugins.path)/plugins.lock.json", toPath: lock)
            // A newer version, a changed file, another pin, and a plugin that nobody recorded.
            _ = try await cli.plugins(["install", place.path("acme-b-panel-1.1.0.zip")])
            _ = try await cli.plugins(["pin", "acme-b-panel"])
            _ = try await cli.plugins(["unpin", "acme-a-panel"])
            try Data("evil()".utf8).write(to: place.plugins.appending(path: "acme-a-panel/module.js"))
            try Package(id: "acme-extra-panel").write(to: place.plugins.appending(path: "acme-extra-panel"))
            let spoiled = try place.tree()

            let dry = try await cli.plugins(["install", "--lock-file", lock, "--prune", "--dry-run", "--json"])
            let untouched = try place.tree()
            let kept = try await cli.plugins(["install", "--lock-file", lock, "--json"])
            let withExtra = try place.tree()
            let pruned = try await cli.plugins(["install", "--lock-file", lock, "--prune"])
            let again = try await cli.plugins(["install", "--locked"])

            #expect(dry.status == 0, "\(dry.errors)")
            #expect(dry.json["plugins"]?.array?.compactMap { $0["id"]?.string } == ["acme-a-panel", "acme-b-panel"])
            #expect(dry.json["removed"] == ["acme-extra-panel"])
            #expect(untouched == spoiled)
            #expect(kept.status == 1)
            #expect(kept.json["plugins"]?[1]?["before"] == "1.1.0")
            #expect(kept.json["extra"] == ["acme-extra-panel"])
            #expect(kept.errors.contains("plugin 'acme-extra-panel' 1.0.0 is not in the lock file"))
            #expect(withExtra.filter { !$0.key.hasPrefix("acme-extra-panel/") } == wanted)
            #expect(pruned.status == 0, "\(pruned.errors)")
            #expect(pruned.output == "✔ Removed acme-extra-panel v1.0.0\n")
            #expect(try place.tree() == wanted)
            #expect(again.output == "✔ Every plugin is as the lock file says\n", "\(again.errors)")
            let own = try PluginLockFile(path: "\(place.plugins.path)/plugins.lock.json")
            let given = try PluginLockFile(path: lock)
            #expect(own.plugins.mapValues(\.isPinned) == given.plugins.mapValues(\.isPinned))
            #expect(own.plugins.mapValues(\.treeHash) == given.plugins.mapValues(\.treeHash))
            #expect(try place.rubbish().isEmpty)
        }

        @Test func whatALockedPluginNeedsComesFromTheLockFileToo() async throws {
            let place = try Workplace()
            let elsewhere = try Workplace()
            let cli = CLI(place: place)
            try await Package(id: "acme-z-panel").zip(place.folder.appending(path: "z.zip"))
            try await Package(id: "acme-a-panel", needs: ["acme-z-panel"]).zip(place.folder.appending(path: "a.zip"))
            for name in ["z.zip", "a.zip"] { _ = try await cli.plugins(["install", place.path(name)]) }
            let lock = "\(place.plugins.path)/plugins.lock.json"

            let wanted = try place.tree()
            let both = try await CLI(place: elsewhere).plugins(["install", "--lock-file", lock])
            let tree = try elsewhere.tree()
            for id in ["acme-a-panel", "acme-z-panel"] { _ = try await CLI(place: elsewhere).plugins(["remove", id]) }
            _ = try await cli.plugins(["remove", "acme-z-panel"])
            let incomplete = try await CLI(place: elsewhere).plugins(["install", "--lock-file", lock])

            #expect(both.status == 0, "\(both.errors)")
            #expect(tree == wanted)
            #expect(incomplete.status == 65)
            #expect(incomplete.errors.contains("[lock-file-invalid]"), "\(incomplete.errors)")
            #expect(try elsewhere.tree().isEmpty)
        }

        @Test(arguments: [
            (["install"], Int32(64), "please specify plugin to install"),
            (["install", "a", "--prune"], 64, "--prune goes with --locked"),
            (["install", "a", "--sha256", "00"], 64, "--sha256 goes with a zip archive"),
            (["install", "/tmp", "--sha256", "00"], 64, "--sha256 goes with a zip archive"),
            (["install", "a", "b", "c"], 64, "install only supports 2 arguments: plugin and version"),
            (["list-versions"], 64, "please specify plugin to list versions for"),
            (["remove"], 64, "missing plugin parameter"), (["install", "a b"], 64, "[id-invalid]"),
            (["install", "plugins.lock.json"], 64, "the name is reserved"),
            (["install", "Plugins.lock.json.new"], 64, "the name is reserved"),
            (["install", ".hidden"], 64, "the name is reserved"),
            (["remove", "acme-none-panel"], 65, "plugin does not exist"),
            (["rollback", "acme-none-panel"], 65, "plugin does not exist"),
            (["install", "./none.zip"], 74, "[folder-failed]"),
            (["install", "acme-none-panel", "--repo", "http://127.0.0.1:1/api/plugins"], 69, "[catalog-unreachable]"),
            (["install", "prometheus"], 77, "Cannot install or change a Core plugin"),
        ])
        func whatCannotBeHasItsCode(_ words: [String], _ status: Int32, _ text: String) async throws {
            let outcome = try await CLI(place: Workplace()).plugins(words)

            #expect(outcome.status == status)
            #expect(outcome.errors.contains(text), "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
        }
    }
}
