// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Signing
import TestSupport
import Testing

@testable import Catalog

extension ProgramSuite {
    /// Grafana's catalogue protocol, spoken by a server of another language.
    struct GrafanaCatalogueTests {
        @Test func aPluginComesWithWhatItNeedsAndIsUpdated() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            let base = Package(id: "acme-base-panel", needs: ["acme-sine-panel"])
            try await server.publish([
                (Package(version: "1.1.0", needs: ["acme-base-panel"]), [:]), (Package(version: "1.0.0"), [:]),
                (base, [:]),
            ])

            let old = try await cli.plugins(["install", "acme-sine-panel", "1.0.0", "--repo", server.repo])
            let outdated = try await cli.plugins(["list", "--outdated", "--repo", server.repo])
            let updated = try await cli.plugins(["upgrade-all", "--repo", server.repo])
            let again = try await cli.plugins(["update", "acme-sine-panel", "--repo", server.repo])
            let listed = try await cli.plugins(["ls"])

            #expect(old.status == 0, "\(old.errors)")
            #expect(outdated.status == 1)
            #expect(outdated.output == "acme-sine-panel @ 1.0.0 -> 1.1.0\n")
            #expect(updated.status == 0, "\(updated.errors)")
            #expect(updated.errors.contains("Updating acme-sine-panel\n"))
            #expect(updated.errors.contains("Fetching acme-sine-panel dependency acme-base-panel...\n"))
            #expect(again.output == "✔ acme-sine-panel 1.1.0 is up to date\n")
            #expect(listed.output == "installed plugins:\nacme-base-panel @ 1.0.0\nacme-sine-panel @ 1.1.0\n")
        }

        @Test func requestsHaveGrafanasHeadersAndTheTokenStaysAtHome() async throws {
            let place = try Workplace()
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            try await server.publish([(Package(), [:])])
            let home = Workplace.repository.path
            let own = ["--homepath", home, "--configOverrides", "cfg:plugins.install_token=s3cret"]

            let outcome = try await CLI(place: place).plugins(
                ["install", "acme-sine-panel", "--repo", server.repo] + own)
            let other = try await CLI(place: place).plugins(
                ["install", "--force", "--pluginUrl", "\(server.server.url)/static/acme-sine-panel-1.0.0.zip"] + own)

            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(other.status == 0, "\(other.errors)")
            let requests = try await server.requests()
            let paths = requests.compactMap { $0["path"]?.string }
            #expect(
                paths == [
                    "/api/plugins/acme-sine-panel/versions", "/api/plugins/acme-sine-panel/versions/1.0.0/download",
                    "/static/acme-sine-panel-1.0.0.zip",
                ])
            for request in requests {
                let headers = try #require(request["headers"])
                #expect(headers["grafana-version"] == "12.4.0")
                #expect(headers["grafana-os"] == "linux")
                #expect(["amd64", "arm64"].contains(headers["grafana-arch"]?.string))
                #expect(headers["grafana-origin"] == "cli")
                #expect(headers["user-agent"] == "grafana 12.4.0")
                #expect(
                    headers["authorization"]?.string
                        == (request["path"]?.string?.hasPrefix("/api") == true ? "Bearer s3cret" : nil))
            }
        }

        @Test func listsAreGrafanas() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            try await server.publish([
                (Package(version: "2.0.0"), ["arch": ["plan9-mips": ["sha256": "00"]]]),
                (Package(version: "1.1.0"), [:]),
                (Package(version: "1.0.0"), [:]),
            ])

            let remote = try await cli.plugins(["list-remote", "--repo", server.repo])
            let versions = try await cli.plugins(["list-versions", "acme-sine-panel", "--repo", server.repo])
            let found = try await cli.plugins(["search", "SINE", "--repo", server.repo, "--json"])
            let info = try await cli.plugins(["info", "acme-sine-panel", "--repo", server.repo])

            #expect(remote.output == "id: acme-sine-panel version: 1.1.0\n")
            #expect(versions.output == "2.0.0\n1.1.0\n1.0.0\n")
            #expect(found.json["plugins"]?[0]?["newest"] == "1.1.0")
            #expect(info.output.contains("installed   no\n"))
            #expect(info.output.contains("newest      1.1.0\n"))
        }

        @Test(arguments: [
            ("acme-none-panel", Int32(65), "plugin not found"), ("broken", 77, "the catalogue is closed today"),
            ("failing", 69, "the catalogue has an error (status 500)"),
            (
                "acme-sine-panel@9.9.9", 65,
                "acme-sine-panel v9.9.9 either does not exist or is not supported on your system (linux)"
            ),
            ("acme-sine-panel@2.0.0", 65, "acme-sine-panel v2.0.0 is not supported on your system (linux-"),
            ("acme-old-panel", 65, "acme-old-panel is not compatible with your Grafana version: 12.4.0"),
            ("acme-lies-panel", 65, "it is 'acme-sine-panel', not 'acme-lies-panel'"),
        ])
        func whatTheCatalogueRefusesIsToldInItsWords(_ word: String, _ status: Int32, _ text: String) async throws {
            let place = try Workplace()
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            try await server.publish([
                (Package(version: "2.0.0"), ["arch": ["plan9-mips": ["sha256": "00"]]]),
                (Package(version: "1.0.0"), [:]),
                (Package(id: "acme-old-panel"), ["isCompatible": false]),
                (Package(id: "acme-lies-panel"), ["file": "acme-sine-panel-1.0.0.zip"]),
            ])

            let outcome = try await CLI(place: place).plugins(["install", word, "--repo", server.repo])

            #expect(outcome.status == status, "\(outcome.errors)")
            #expect(outcome.errors.contains(text), "\(outcome.errors)")
            #expect(try place.tree().isEmpty)
            #expect(try place.rubbish().isEmpty)
        }
    }

    /// Catalogues of one's own.
    struct StaticCatalogueTests {
        /// A folder with two versions and a signed index.
        private static func catalogue(_ place: Workplace, serial: Int64? = nil, expires: Int64 = TrustJudge.now + 3600)
            async throws
        {
            let folder = place.folder.appending(path: "served")
            for version in ["1.0.0", "1.1.0"] {
                try await Package(version: version).zip(folder.appending(path: "sine/\(version).zip"))
            }
            try build(place, serial: serial, expires: expires)
        }

        private static func build(
            _ place: Workplace, by publisher: Publisher = .acme, serial: Int64? = nil,
            expires: Int64 = TrustJudge.now + 3600
        ) throws {
            let builder = CatalogBuilder(folder: place.path("served"))
            let key = try publisher.key()
            let draft = try builder.draft(name: "Test", serial: serial, expires: expires, key: key.publicKey)
            try builder.write(key.clearSign(draft.text))
        }

        @Test(arguments: ["folder", "file", "web"])
        func pluginsComeFromAFolderAnAddressOrAServer(_ kind: String) async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            let server = try await CatalogueServer.start(place)
            defer { server.server.end() }
            try await Self.catalogue(place)
            let location =
                switch kind {
                case "folder": place.path("served")
                case "file": "file://\(place.path("served"))"
                default: "\(server.server.url)/static"
                }

            let installed = try await cli.plugins(["install", "acme-sine-panel@1.0.0", "--catalog", location])
            let updated = try await cli.plugins(["update", "--all", "--catalog", location])
            let found = try await cli.plugins(["search", "waves", "--catalog", location])
            let wrong = try await cli.plugins(["install", "acme-sin-panel", "--catalog", location])

            #expect(installed.status == 0, "\(installed.errors)")
            #expect(updated.status == 0, "\(updated.errors)")
            #expect(try place.version() == "1.1.0")
            #expect(found.output.contains("acme-sine-panel  1.1.0    Draws waves"))
            #expect(wrong.status == 65)
            #expect(wrong.errors.contains("did you mean 'acme-sine-panel'?"))
        }

        @Test func theProgramBuildsWhatTheProgramInstalls() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            for version in ["1.0.0", "1.1.0"] {
                try await Package(version: version).zip(place.folder.appending(path: "served/\(version).zip"))
            }
            try await Package(id: "acme-plain-panel", publisher: nil).zip(
                place.folder.appending(path: "served/plain.zip"))
            try place.write(Publisher.acme.files.secret, to: "acme.key")
            let build = ["catalog", "build", place.path("served"), "--name", "Test", "--json"]

            let first = try await cli.run(build + ["--key", place.path("acme.key")])
            let second = try await cli.run(build, environment: ["GRAFANA_SIGN_KEY": Publisher.acme.files.secret])
            let none = try await cli.run(build)
            let installed = try await cli.plugins(["install", "acme-sine-panel", "--catalog", place.path("served")])
            try await Package().zip(place.folder.appending(path: "served/again/1.0.0.zip"))
            let twice = try await cli.run(build + ["--key", place.path("acme.key")])
            try place.write("no archive", to: "served/again/1.0.0.zip")
            let broken = try await cli.run(build + ["--key", place.path("acme.key")])

            #expect(first.status == 0, "\(first.errors)")
            #expect(first.json["serial"] == 1)
            #expect(first.json["plugins"] == 2)
            #expect(first.json["archives"] == 3)
            #expect(first.errors.contains("'plain.zip': nobody signed this package"))
            #expect(second.json["serial"] == 2)
            #expect(none.status == 64)
            #expect(installed.status == 0, "\(installed.errors)")
            #expect(twice.status == 65)
            #expect(twice.errors.contains("[archive-duplicate-name]"))
            #expect(broken.status == 65)
            #expect(broken.errors.contains("[archive-malformed]"))
        }

        @Test func anOldIndexIsNotAcceptedAgain() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try await Self.catalogue(place, serial: 7)
            let old = try Data(contentsOf: place.folder.appending(path: "served/catalog.txt"))
            let first = try await cli.plugins(["install", "acme-sine-panel@1.0.0", "--catalog", place.path("served")])
            try Self.build(place)
            let second = try await cli.plugins(["update", "--all", "--catalog", place.path("served"), "--dry-run"])
            try old.write(to: place.folder.appending(path: "served/catalog.txt"))
            let third = try await cli.plugins(["update", "--all", "--catalog", place.path("served")])

            #expect(first.status == 0, "\(first.errors)")
            #expect(second.status == 0, "\(second.errors)")
            #expect(third.status == 77)
            #expect(third.errors.contains("has the serial 7, and 8 was seen before"), "\(third.errors)")
            #expect(try place.version() == "1.0.0")
        }

        @Test func whoMadeTheIndexAndWhenDecides() async throws {
            let place = try Workplace()
            let cli = CLI(place: place)
            try await Self.catalogue(place, expires: TrustJudge.now - 1)
            let expired = try await cli.plugins(["install", "acme-sine-panel", "--catalog", place.path("served")])
            try Self.build(place, by: .other, serial: 9)
            let unknown = try await cli.plugins(["install", "acme-sine-panel", "--catalog", place.path("served")])
            try Self.build(place, serial: 10)
            let right = try await cli.plugins(["install", "acme-sine-panel", "--catalog", place.path("served")])
            try Publisher.other.trust(in: place.trust)
            try Self.build(place, by: .other, serial: 11)
            let other = try await cli.plugins([
                "install", "acme-sine-panel", "--catalog", place.path("served"), "--force",
            ])
            var text = try String(contentsOf: place.folder.appending(path: "served/catalog.txt"), encoding: .utf8)
            text = text.replacing("Draws waves", with: "Draws wives")
            try place.write(text, to: "served/catalog.txt")
            let changed = try await cli.plugins(["search", "wives", "--catalog", place.path("served")])

            #expect(expired.errors.contains("[catalog-expired]"))
            #expect(unknown.errors.contains("[catalog-untrusted]"))
            #expect(right.status == 0, "\(right.errors)")
            #expect(other.errors.contains("its index was signed by the key"), "\(other.errors)")
            #expect(changed.errors.contains("[catalog-untrusted]"))
            for outcome in [expired, unknown, other, changed] { #expect(outcome.status == 77) }
        }

        @Test func aKeyOffersOnlyWhatItMaySign() async throws {
            let place = try Workplace()
            try await Self.catalogue(place)
            try Publisher.other.trust(in: place.trust, plugins: ["beta-*"])
            try Self.build(place, by: .other, serial: 1)
            let cli = CLI(place: place)

            let listed = try await cli.plugins(["list-remote", "--catalog", place.path("served")])
            let installed = try await cli.plugins(["install", "acme-sine-panel", "--catalog", place.path("served")])

            #expect(listed.status == 0 && listed.output.isEmpty, "\(listed.errors)")
            #expect(installed.status == 65 && installed.errors.contains("[plugin-not-found]"), "\(installed.errors)")
        }

        @Test func anIndexThatIsTooLargeIsNotRead() async throws {
            let place = try Workplace()
            try place.write(String(repeating: "\n", count: CatalogIndex.largest + 1), to: "served/catalog.txt")

            let outcome = try await CLI(place: place).plugins(["list-remote", "--catalog", place.path("served")])

            #expect(outcome.status == 74 && outcome.errors.contains("more than"), "\(outcome.errors)")
        }

        @Test func anArchiveThatWasExchangedIsNotInstalled() async throws {
            let place = try Workplace()
            try await Self.catalogue(place)
            try await Package(version: "1.1.0", ballast: 5).zip(place.folder.appending(path: "served/sine/1.1.0.zip"))

            let outcome = try await CLI(place: place).plugins([
                "install", "acme-sine-panel", "--catalog", place.path("served"),
            ])

            #expect(outcome.status == 65)
            #expect(outcome.errors.contains("expected SHA256 checksum ("))
            #expect(try place.tree().isEmpty)
        }
    }
}
