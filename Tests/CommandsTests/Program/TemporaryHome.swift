// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import Settings
import Signing
import Storage
import TestSupport
import Testing

@testable import Commands

/// A home folder with the defaults of this repository, removed with the value.
final class TemporaryHome: Sendable {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    let path: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "grafana-cli-\(UUID().uuidString)")
        path = folder.path
        try FileManager.default.createDirectory(
            at: folder.appending(path: "conf"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Self.root.appending(path: "conf/defaults.ini"), to: folder.appending(path: "conf/defaults.ini"))
        try FileManager.default.createDirectory(at: folder.appending(path: "data"), withIntermediateDirectories: true)
    }

    deinit {
        // What stays behind is in the system's temporary folder.
        try? FileManager.default.removeItem(atPath: path)
    }

    var databasePath: String { "\(path)/data/grafana.db" }

    func write(_ text: String, to name: String) throws {
        let file = URL(filePath: "\(path)/\(name)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    /// The settings of this home; no variable of the environment has a say.
    func settings(_ overrides: [String] = []) throws -> Settings {
        var environment = SettingsEnvironment.process
        environment.variables = [:]
        return try Settings.load(Settings.Options(homePath: path, overrides: overrides), from: environment)
    }

    /// Opens the database as a server does, makes it if need be, and closes it after the work.
    func asServer<Value>(secretKey: String = "first", _ work: (Stores) async throws -> Value) async throws -> Value {
        var options = DatabaseOptions()
        options.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let stores = try await Stores.open(path: databasePath, secretKey: Secret(secretKey), options: options)
        let outcome: Result<Value, any Error>
        do { outcome = .success(try await work(stores)) } catch { outcome = .failure(error) }
        await stores.close()
        return try outcome.get()
    }

    /// Puts a signed panel into the plugins folder.
    @discardableResult
    func signedPanel() throws -> TestSigner {
        let signer = try TestSigner()
        try write(
            #"{"id":"acme-clock-panel","type":"panel","name":"Clock","info":{"version":"1.0.0"}}"#,
            to: "data/plugins/clock/plugin.json")
        try write("", to: "data/plugins/clock/module.js")
        try signer.sign("\(path)/data/plugins/clock")
        return signer
    }

    /// Trusts a key in the database, as the API of a server does.
    func trust(_ signer: TestSigner) async throws {
        let grant: JSONValue = ["publicKey": .string(try signer.key.armored()), "plugins": ["acme-*"]]
        try await asServer { stores in
            _ = try await stores.pluginTrust.setKey(fingerprint: signer.fingerprint, content: grant.encoded())
        }
    }

    /// A database with the administrator `admin`, as after the first start.
    func makeDatabase(secretKey: String = "first") async throws {
        try await asServer(secretKey: secretKey) { stores in
            var admin = NewUser(login: "admin", email: "admin@localhost", password: Secret("admin"), role: .admin)
            admin.isAdmin = true
            _ = try await stores.users.ensureAdmin(admin)
            _ = try await stores.users.create(NewUser(login: "viewer", password: Secret("viewer")))
        }
    }
}
