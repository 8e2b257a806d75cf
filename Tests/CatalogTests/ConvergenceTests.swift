// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import Signing
import Storage
import Synchronization
import Testing

@testable import Catalog

/// Two servers with plugins folders of their own and one database.
struct ConvergenceTests {
    /// Notes what a server is told to load.
    private final class Link: PluginRuntimeLink {
        let loaded = Mutex<[String]>([])
        /// A version that this server does not run.
        let refused: String?
        /// What else happens while a plugin is loaded.
        let meanwhile: @Sendable () async throws -> Void

        init(refusing version: String? = nil, meanwhile: @escaping @Sendable () async throws -> Void = {}) {
            refused = version
            self.meanwhile = meanwhile
        }

        func pickUp(_ plugin: InstalledPlugin) async throws {
            try await meanwhile()
            guard plugin.facts.version != refused else {
                throw CatalogError(.serverRefused, "plugin '\(plugin.facts.id)': its own words")
            }
            loaded.withLock { $0.append("\(plugin.facts.id)@\(plugin.facts.version)") }
        }

        func lookAgain() async { loaded.withLock { $0.append("again") } }
        func isElsewhere(_ id: String) -> Bool { false }
    }

    private static func server(
        _ place: Workplace, _ stores: Stores, link: Link = Link(), preinstalled: PreinstallList = PreinstallList()
    ) -> PluginAdministration {
        var configuration = CatalogConfiguration(
            folder: PluginsFolder(path: place.plugins.path), target: InstallTarget(serverVersion: "12.4.0"))
        configuration.trust.use(folder: place.trust.path)
        configuration.catalogs = [place.path("served")]
        configuration.coreIDs = ["prometheus"]
        return PluginAdministration(
            configuration: configuration, desired: stores.desiredPlugins, link: link, preinstalled: preinstalled,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Adds a package to the catalogue of a place.
    private static func publish(_ package: Package, _ place: Workplace) async throws {
        try await package.zip(place.folder.appending(path: "served/\(package.version).zip"))
        let builder = CatalogBuilder(folder: place.path("served"))
        let key = try Publisher.acme.key()
        let draft = try builder.draft(name: "Test", serial: nil, expires: TrustJudge.now + 3600, key: key.publicKey)
        try builder.write(key.clearSign(draft.text))
    }

    /// A place with a catalogue, and a database.
    private static func withCatalogue(_ body: (Workplace, Stores) async throws -> Void) async throws {
        let place = try Workplace()
        for version in ["1.0.0", "1.1.0"] { try await publish(Package(version: version), place) }
        let stores = try await Stores.open(path: place.path("grafana.db"), secretKey: Secret("key"))
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(place, stores)) } catch { outcome = .failure(error) }
        await stores.close()
        try outcome.get()
    }

    @Test func whatOneServerInstallsAndRemovesTheOtherFollows() async throws {
        try await Self.withCatalogue { place, stores in
            let other = try Workplace()
            let (first, second) = (Self.server(place, stores), Self.server(other, stores))
            // The second server reads the same catalogue and trusts the same key.
            try FileManager.default.createSymbolicLink(
                at: other.folder.appending(path: "served"), withDestinationURL: place.folder.appending(path: "served"))

            _ = try await first.install("acme-sine-panel", version: "1.0.0") { _ in }
            try await second.converge()
            #expect(try other.tree() == place.tree())
            #expect(try other.version() == "1.0.0")

            _ = try await second.install("acme-sine-panel", version: nil) { _ in }
            try await first.converge()
            #expect(try place.version() == "1.1.0")

            // What is done to one folder by hand stays: nothing new was decided for all.
            _ = try PluginChanges(folder: PluginsFolder(path: other.plugins.path))
                .rollBack("acme-sine-panel", claim: FolderClaim(PluginsFolder(path: other.plugins.path)))
            try await second.converge()
            #expect(try other.version() == "1.0.0")
            _ = try PluginChanges(folder: PluginsFolder(path: other.plugins.path))
                .remove("acme-sine-panel", claim: FolderClaim(PluginsFolder(path: other.plugins.path)))
            try await second.converge()
            #expect(try other.tree().isEmpty)
            // A folder that was lost is made anew.
            try FileManager.default.removeItem(at: other.plugins)
            try await second.converge()
            #expect(try other.version() == "1.1.0")

            try await first.uninstall("acme-sine-panel")
            try await second.converge()
            try await first.converge()
            #expect(try place.tree().isEmpty)
            #expect(try other.tree().isEmpty)
        }
    }

    /// The database is asked after the wait: what it said before an installation ended would undo it.
    @Test func whatIsInstalledMeanwhileIsNotUndone() async throws {
        try await Self.withCatalogue { place, stores in
            let converging = Mutex<Task<Void, any Error>?>(nil)
            let other = Mutex<PluginAdministration?>(nil)
            let server = Self.server(
                place, stores,
                link: Link(meanwhile: {
                    guard let server = other.withLock({ $0 }) else { return }
                    converging.withLock { $0 = Task { try await server.converge() } }
                    // Until it waits for the folder, of which it tells nobody: too short, and the test finds less.
                    try await Task.sleep(for: .milliseconds(200))  // Reason: nobody tells that it waits
                }))
            _ = try await server.install("acme-sine-panel", version: "1.0.0") { _ in }
            other.withLock { $0 = server }

            _ = try await server.install("acme-sine-panel", version: "1.1.0") { _ in }
            other.withLock { $0 = nil }
            try await converging.withLock { $0 }?.value
            try await server.converge()

            #expect(converging.withLock { $0 } != nil)
            #expect(try place.version() == "1.1.0")
        }
    }

    @Test func aPluginThatTheServerRefusesIsTakenBack() async throws {
        try await Self.withCatalogue { place, stores in
            let link = Link(refusing: "1.1.0")
            let server = Self.server(place, stores, link: link)
            _ = try await server.install("acme-sine-panel", version: "1.0.0") { _ in }
            let before = try place.tree()

            let error = await #expect(throws: CatalogError.self) {
                _ = try await server.install("acme-sine-panel", version: nil) { _ in }
            }

            #expect(error?.code == .serverRefused)
            #expect(error?.message == "plugin 'acme-sine-panel': its own words")
            #expect(try place.tree() == before)
            #expect(try place.rubbish().isEmpty)
            #expect(
                try PluginLockFile(of: PluginsFolder(path: place.plugins.path)).plugins["acme-sine-panel"]?.version
                    == "1.0.0")
            #expect(link.loaded.withLock { $0 } == ["acme-sine-panel@1.0.0", "again"])
            #expect(try await stores.desiredPlugins.list().map(\.version) == ["1.0.0"])
        }
    }

    @Test func anUpdateThatIsTakenBackLeavesTheKeptVersion() async throws {
        try await Self.withCatalogue { place, stores in
            let folder = PluginsFolder(path: place.plugins.path)
            let first = Self.server(place, stores)
            _ = try await first.install("acme-sine-panel", version: "1.0.0") { _ in }
            _ = try await first.install("acme-sine-panel", version: "1.1.0") { _ in }
            try await Self.publish(Package(version: "1.2.0"), place)

            let error = await #expect(throws: CatalogError.self) {
                _ = try await Self.server(place, stores, link: Link(refusing: "1.2.0"))
                    .install("acme-sine-panel", version: nil) { _ in }
            }

            #expect(error?.code == .serverRefused)
            #expect(try place.version() == "1.1.0")
            #expect(try PluginChanges(folder: folder).kept("acme-sine-panel")?.version == "1.0.0")
            #expect(try place.rubbish().isEmpty)
            #expect(try await stores.desiredPlugins.list().map(\.version) == ["1.1.0"])
        }
    }

    @Test func anUpdateThatWantsMoreNeedsConsent() async throws {
        try await Self.withCatalogue { place, stores in
            let asked = Mutex<[String]>([])
            let note: @Sendable (InstallEvent) -> Void = { event in
                if case .asking(let question) = event { asked.withLock { $0 += question.wanted } }
            }
            var list = PreinstallList()
            list.inBackground = [try #require(PreinstalledPlugin("acme-sine-panel"))]
            let server = Self.server(place, stores, preinstalled: list)
            _ = try await server.install("acme-sine-panel", version: nil) { _ in }
            try await Self.publish(Package(version: "1.2.0", permissions: ["hosts": ["a.example"]]), place)

            await server.preinstallInBackground()
            let afterStart = try place.version()
            let error = await #expect(throws: CatalogError.self) {
                _ = try await server.install("acme-sine-panel", version: nil, event: note)
            }
            let afterRefusal = try place.version()
            var consent = InstallConsent()
            consent.permissions = Set(asked.withLock { $0 })
            _ = try await server.install("acme-sine-panel", version: nil, consent: consent, event: note)

            #expect(afterStart == "1.1.0" && afterRefusal == "1.1.0")
            #expect(error?.code == .permissionsRefused)
            #expect(consent.permissions == ["hosts: a.example"])
            #expect(try place.version() == "1.2.0")
        }
    }

    @Test func anArchiveOfTheSettingsMustBeThePluginThatTheyName() async throws {
        try await Self.withCatalogue { place, stores in
            var list = PreinstallList()
            let archive = place.path("served/1.0.0.zip")
            list.blocking = [try #require(PreinstalledPlugin("acme-other-panel@1.0.0@file://\(archive)"))]
            let other = await #expect(throws: CatalogError.self) {
                try await Self.server(place, stores, preinstalled: list).preinstallBlocking()
            }
            list.blocking = [try #require(PreinstalledPlugin("acme-sine-panel@1.0.1@file://\(archive)"))]
            let version = await #expect(throws: CatalogError.self) {
                try await Self.server(place, stores, preinstalled: list).preinstallBlocking()
            }

            #expect(other?.code == .packageDiffers && version?.code == .packageDiffers)
            #expect(try place.tree().isEmpty)
        }
    }

    @Test(arguments: [
        ("prometheus", CatalogError.Code.corePlugin), ("acme-none-panel", .pluginNotFound),
        ("acme-sine-panel", .versionPinned),
    ])
    func whatCannotBeInstalledIsRefused(_ id: String, _ code: CatalogError.Code) async throws {
        try await Self.withCatalogue { place, stores in
            var list = PreinstallList()
            list.blocking = [try #require(PreinstalledPlugin("acme-sine-panel@1.0.0"))]
            let server = Self.server(place, stores, preinstalled: list)

            let error = await #expect(throws: CatalogError.self) {
                _ = try await server.install(id, version: nil) { _ in }
            }

            #expect(error?.code == code)
            #expect(try await stores.desiredPlugins.list().isEmpty)
        }
    }

    @Test func preinstalledPluginsAreThereBeforeTheServerServes() async throws {
        try await Self.withCatalogue { place, stores in
            var list = PreinstallList()
            list.blocking = [try #require(PreinstalledPlugin("acme-sine-panel@1.0.0"))]
            let link = Link()
            try await Self.server(place, stores, link: link, preinstalled: list).preinstallBlocking()
            let pinned = try place.version()
            list.blocking = [try #require(PreinstalledPlugin("acme-sine-panel"))]
            list.updates = false
            try await Self.server(place, stores, link: link, preinstalled: list).preinstallBlocking()
            let same = try place.version()
            list.updates = true
            try await Self.server(place, stores, link: link, preinstalled: list).preinstallBlocking()
            try await Self.server(place, stores, link: link, preinstalled: list).preinstallBlocking()

            #expect(pinned == "1.0.0")
            #expect(same == "1.0.0")
            #expect(try place.version() == "1.1.0")
            #expect(link.loaded.withLock { $0 }.isEmpty)
            list.blocking = [try #require(PreinstalledPlugin("acme-none-panel"))]
            let missing = Self.server(place, stores, preinstalled: list)
            await #expect(throws: CatalogError.self) { try await missing.preinstallBlocking() }
        }
    }

    @Test func pluginsInstalledAsByHandMayBeChangedByHand() async throws {
        try await Self.withCatalogue { place, stores in
            var list = PreinstallList()
            list.asByHand = [try #require(PreinstalledPlugin(variable: "acme-sine-panel 1.0.0"))]
            let link = Link()
            let server = Self.server(place, stores, link: link, preinstalled: list)
            try await server.preinstallBlocking()
            try await server.preinstallBlocking()
            let named = try place.version()
            list.asByHand = [try #require(PreinstalledPlugin(variable: "acme-sine-panel"))]
            list.updates = false
            let newest = Self.server(place, stores, link: link, preinstalled: list)
            try await newest.preinstallBlocking()
            let updated = try place.version()
            try await newest.uninstall("acme-sine-panel")
            list.asByHand = [try #require(PreinstalledPlugin(variable: "acme-none-panel"))]
            let missing = Self.server(place, stores, preinstalled: list)
            let error = await #expect(throws: CatalogError.self) { try await missing.preinstallBlocking() }

            #expect(named == "1.0.0")
            #expect(updated == "1.1.0")
            #expect(try place.tree().isEmpty)
            #expect(error?.code == .pluginNotFound)
        }
    }

    @Test(
        arguments: [
            ("acme-panel", "acme-panel", nil, nil), ("acme-panel@1.2.0", "acme-panel", "1.2.0", nil),
            ("acme-panel@@https://a.example/x.zip", "acme-panel", nil, "https://a.example/x.zip"),
            ("acme-panel@1.0@https://u@a.example/x", "acme-panel", "1.0", "https://u@a.example/x"),
        ] as [(String, String, String?, String?)])
    func settingsNamePlugins(_ text: String, _ id: String, _ version: String?, _ url: String?) throws {
        let plugin = try #require(PreinstalledPlugin(text))

        #expect(plugin.id == id)
        #expect(plugin.version == version)
        #expect(plugin.url == url)
    }

    @Test(
        arguments: [
            ("acme-panel", "acme-panel", nil, nil), (" acme-panel 1.2.0", "acme-panel", "1.2.0", nil),
            ("https://a.example/x.zip;acme-panel", "acme-panel", nil, "https://a.example/x.zip"),
        ] as [(String, String, String?, String?)])
    func theVariableNamesPlugins(_ text: String, _ id: String, _ version: String?, _ url: String?) throws {
        let plugin = try #require(PreinstalledPlugin(variable: text))

        #expect(plugin.id == id)
        #expect(plugin.version == version)
        #expect(plugin.url == url)
        #expect(PreinstalledPlugin(variable: "") == nil)
        #expect(PreinstalledPlugin("../x") == nil)
    }
}
