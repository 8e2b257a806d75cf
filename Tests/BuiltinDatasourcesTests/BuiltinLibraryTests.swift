// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// The built-in data sources as shared libraries from a plugins folder: no door is theirs alone.
///
/// `make builtin-plugins` makes the folder.
struct BuiltinLibraryTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: ".build/builtin-plugins")

    /// The levels at which a library can run that opens sockets and files of its own; linked, it is not one.
    static let levels: [IsolationLevel] = [.inProcess, .process]

    static let builtins: [(id: String, plugin: BuiltinPlugin)] = [
        (
            "grafana-testdata-datasource",
            BuiltinPlugin(descriptorJSON: TestDataPlugin.descriptorJSON) { testdata_entry($0) }
        ),
        ("loki", BuiltinPlugin(descriptorJSON: LokiPlugin.descriptorJSON) { loki_entry($0) }),
        ("prometheus", BuiltinPlugin(descriptorJSON: PrometheusPlugin.descriptorJSON) { prometheus_entry($0) }),
        ("grafana-postgresql-datasource", PostgreSQLSourceTests.plugin), ("mysql", MySQLSourceTests.plugin),
        ("frser-sqlite-datasource", SQLSource.sqlite),
    ]

    private func platform(_ level: IsolationLevel) async -> PluginPlatform {
        var loading = LoadingSettings()
        // Unsigned libraries may come as close as the test asks.
        loading.isDevelopment = true
        let configuration =
            level == .linked
            ? PlatformConfiguration(serverVersion: "12.4.0")
            : PlatformConfiguration(
                pluginsFolder: Self.folder.path, loading: loading, serverVersion: "12.4.0",
                isolation: IsolationPolicy(common: level))
        let platform = PluginPlatform(
            configuration: configuration, builtins: level == .linked ? Self.builtins.map(\.plugin) : [],
            keyValues: EmptyKeyValues(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        await platform.load()
        return platform
    }

    @Test(arguments: levels)
    func everyBuiltinLoadsFromAFolder(level: IsolationLevel) async throws {
        let platform = await platform(level)

        #expect(platform.refusals.isEmpty, "run make builtin-plugins: \(platform.refusals)")
        for (id, _) in Self.builtins { #expect(platform.plugin(id: id) != nil, "\(id): run make builtin-plugins") }
        await platform.shutDown()
    }

    @Test(arguments: levels)
    func queriesAnswerTheSameAsLinked(level: IsolationLevel) async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "library-\(UUID().uuidString).sqlite")
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let queries: [(id: String, jsonData: JSONValue, model: JSONObject)] = [
            ("grafana-testdata-datasource", [:], ["scenarioId": "predictable_pulse", "pulseWave": ["timeStep": 60]]),
            (
                "frser-sqlite-datasource", ["path": .string(file.path)],
                ["queryText": "select 1767225600 as time, 'a' as host, 1.5 as v"]
            ),
            // No server listens: the answer is an error, from the source itself.
            ("grafana-postgresql-datasource", ["sslmode": "disable"], ["rawSql": "select 1", "format": "table"]),
            ("mysql", [:], ["rawSql": "select 1", "format": "table"]),
            ("prometheus", [:], ["expr": "up", "range": true]),
        ]
        let linked = await platform(.linked)
        let library = await platform(level)
        for query in queries {
            let settings = DataSourceInstanceSettings(
                uid: "u", name: "N", pluginID: query.id,
                url: query.id == "prometheus" ? "http://127.0.0.1:1" : "127.0.0.1:1",
                jsonData: query.jsonData)
            let source = DataSourceConfiguration(settings: settings, version: 1)

            let expected = try await SQLSource(platform: linked, source: source).query(query.model)
            let answer = try await SQLSource(platform: library, source: source).query(query.model)

            #expect(answer.frames == expected.frames, "\(query.id)")
            #expect(answer.error?.message == expected.error?.message, "\(query.id)")
            #expect(!answer.frames.isEmpty || answer.error != nil, "\(query.id)")
        }
        await linked.shutDown()
        await library.shutDown()
    }

    /// Rows in batches, certificates that are texts, threads and cancellation, outside of the server's own program.
    @Test(arguments: levels)
    func aLibraryStreamsFromARealServer(level: IsolationLevel) async throws {
        let server = try await RealDatabase.postgreSQL()
        let settings = DataSourceInstanceSettings(
            uid: "u", name: "N", pluginID: "grafana-postgresql-datasource", url: "localhost:\(server.port)",
            user: RealDatabase.user,
            jsonData: ["database": "postgres", "sslmode": "verify-full", "tlsConfigurationMethod": "file-content"])
        let secrets = [
            "password": RealDatabase.password, "tlsCACert": try TestCertificates.text(server.certificates.root),
        ]
        let platform = await platform(level)
        let source = SQLSource(
            platform: platform,
            source: DataSourceConfiguration(settings: settings, secrets: secrets, version: 1))
        func table(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "table"] }

        let rows = try await source.query(table("select g as id from generate_series(1, 50000) g"))
        let mark = "mark_\(UInt32.random(in: 0 ... .max))"
        let running = table(
            "select 1 as x from pg_stat_activity where state = 'active' and query like '%\(mark)%' "
                + "and pid <> pg_backend_pid()")
        let task = Task { try await source.query(table("select pg_sleep(600) as \(mark)")) }
        while try await source.query(running).frame.rowCount == 0 { await Task.yield() }
        task.cancel()
        _ = try? await task.value
        while try await source.query(running).frame.rowCount > 0 { await Task.yield() }

        #expect(rows.error == nil, "run make builtin-plugins")
        #expect(rows.frame.rowCount == 50_000 && rows.batchCount > 1)
        await platform.shutDown()
    }
}
