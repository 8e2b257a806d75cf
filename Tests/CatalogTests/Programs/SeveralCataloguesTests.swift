// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Signing
import TestSupport
import Testing

@testable import Catalog

extension ProgramSuite {
    /// A catalogue of one's own beside Grafana's, and lock files that name one.
    struct SeveralCataloguesTests {
        /// A server with a package and a signed index below `/static`.
        private static func withCatalogue(
            _ body: (Workplace, CLI, CatalogueServer) async throws -> Void
        ) async throws {
            let place = try Workplace()
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            try await Package().zip(server.folder.appending(path: "1.0.0.zip"))
            let builder = CatalogBuilder(folder: server.folder.path)
            let key = try Publisher.acme.key()
            let draft = try builder.draft(
                name: "Test", serial: nil, expires: TrustJudge.now + 3600, key: key.publicKey)
            try builder.write(key.clearSign(draft.text))
            try await body(place, CLI(place: place), server)
        }

        private static func address(_ server: CatalogueServer, user: String = "") -> String {
            "\(server.server.url.replacing("http://", with: "http://" + user))/static"
        }

        @Test func aPasswordIsWrittenNowhere() async throws {
            try await Self.withCatalogue { place, cli, server in
                let address = Self.address(server, user: "joe:s3cret@")

                for _ in 1...2 {
                    let outcome = try await cli.plugins([
                        "install", "acme-sine-panel", "--force", "--catalog", address,
                    ])
                    #expect(outcome.status == 0, "\(outcome.errors)")
                }

                let files = try FileTree.entries(of: place.plugins.path).filter { $0.kind == .file }
                for file in files {
                    let data = try Data(contentsOf: place.plugins.appending(path: file.path))
                    #expect(!String(decoding: data, as: UTF8.self).contains("s3cret"), "\(file.path)")
                }
                let lock = try PluginLockFile(of: PluginsFolder(path: place.plugins.path))
                let entry = try #require(lock.plugins["acme-sine-panel"])
                #expect(entry.source.location == Self.address(server))
                #expect(entry.source.download == "\(Self.address(server))/1.0.0.zip")
                #expect(files.contains { $0.path == ".catalog/kept/acme-sine-panel/entry.json" })
            }
        }

        /// What was seen of a catalogue is not forgotten with the password that was a part of its name.
        @Test func theMemoryOfACatalogueGetsItsNewName() async throws {
            try await Self.withCatalogue { place, cli, server in
                let address = Self.address(server, user: "joe:s3cret@")
                let seen = #"{"serial": 9, "fingerprint": "\#(try Publisher.acme.fingerprint)"}"#
                try place.write(
                    #"{"schemaVersion": 1, "catalogues": {"\#(address)": \#(seen)}}"#,
                    to: "plugins/.catalog/catalogues.json")

                let outcome = try await cli.plugins(["install", "acme-sine-panel", "--catalog", address])

                #expect(outcome.status == 77 && outcome.errors.contains("[catalog-rolled-back]"), "\(outcome.errors)")
                #expect(!outcome.errors.contains("s3cret"))
            }
        }

        @Test func aLockFileNamesTheCatalogue() async throws {
            try await Self.withCatalogue { place, cli, server in
                let elsewhere = try Workplace()
                _ = try await cli.plugins(["install", "acme-sine-panel", "--catalog", Self.address(server)])
                let before = try await server.requests().count

                let outcome = try await CLI(place: elsewhere).plugins([
                    "install", "--lock-file", "\(place.plugins.path)/plugins.lock.json", "--repo", server.repo,
                ])

                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(try elsewhere.tree() == place.tree())
                // Grafana's catalogue hears nothing of a plugin that came from somewhere else.
                let paths = try await server.requests().dropFirst(before).compactMap { $0["path"]?.string }
                #expect(paths == ["/static/1.0.0.zip"])
                let locks = try [place, elsewhere].map {
                    try PluginLockFile(of: PluginsFolder(path: $0.plugins.path)).plugins["acme-sine-panel"]?.source
                }
                #expect(locks[0] == locks[1])
            }
        }

        @Test func oneCatalogueThatDoesNotAnswerHidesNoOther() async throws {
            try await Self.withCatalogue { place, cli, server in
                let words = ["--catalog", Self.address(server), "--repo", "http://127.0.0.1:1/api/plugins"]

                let listed = try await cli.plugins(["list-remote"] + words)
                let found = try await cli.plugins(["search", "waves"] + words)
                let missing = try await cli.plugins(["install", "acme-none-panel"] + words)
                let none = try await cli.plugins(["list-remote", "--repo", "http://127.0.0.1:1/api/plugins"])

                #expect(listed.status == 0 && listed.output == "id: acme-sine-panel version: 1.0.0\n", "\(listed)")
                #expect(found.status == 0 && found.output.contains("acme-sine-panel"), "\(found)")
                for outcome in [listed, found] {
                    #expect(outcome.errors.hasPrefix("warning: 'http://127.0.0.1:1/"), "\(outcome.errors)")
                    // Not a word of the library either.
                    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
                }
                #expect(missing.status == 69, "\(missing.errors)")
                #expect(
                    missing.errors.hasPrefix(
                        "error: plugin 'acme-none-panel': it is not in '\(Self.address(server))', and "
                            + "'http://127.0.0.1:1/api/plugins/acme-none-panel/versions': it does not answer"),
                    "\(missing.errors)")
                #expect(none.status == 69 && none.output.isEmpty)
            }
        }

        /// That everything is up to date is only said when every catalogue was asked.
        @Test func whatIsOutdatedIsToldThoughACatalogueDoesNotAnswer() async throws {
            try await Self.withCatalogue { place, cli, server in
                let words = ["--catalog", "http://127.0.0.1:1/static", "--catalog", Self.address(server)]
                let old = place.folder.appending(path: "old.zip")
                try await Package(version: "0.9.0").zip(old)

                let installed = try await cli.plugins(["install", old.path])
                let outdated = try await cli.plugins(["list", "--outdated"] + words)
                let updated = try await cli.plugins(["update", "--all", "--catalog", Self.address(server)])
                let unknown = try await cli.plugins(["list", "--outdated"] + words)

                #expect(installed.status == 0 && updated.status == 0, "\(installed.errors)\(updated.errors)")
                #expect(outdated.status == 1 && outdated.output == "acme-sine-panel @ 0.9.0 -> 1.0.0\n", "\(outdated)")
                #expect(outdated.errors.hasPrefix("warning: 'http://127.0.0.1:1/"), "\(outdated.errors)")
                #expect(unknown.status == 69 && unknown.output.isEmpty, "\(unknown)")
            }
        }
    }
}
