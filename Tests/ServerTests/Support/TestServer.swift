// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import BuiltinDatasources
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import PluginABI
import PluginHost
import ServiceLifecycle
import Settings
import Storage

@testable import Server

/// The repository's root.
let repositoryRoot = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

/// A whole server on a free port of the loopback interface, with its own database in a temporary folder.
struct TestServer: Sendable {
    let port: Int
    let stores: Stores
    let platform: PluginPlatform
    let trust: ServerTrust
    let folder: String
    let client: AsyncHTTPClient.HTTPClient

    /// Runs a server for the duration of the body.
    static func run(
        options change: @Sendable (inout ServerOptions) -> Void = { _ in }, livePolicy: LivePolicy = LivePolicy(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: @Sendable @escaping (TestServer) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("server-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var options = ServerOptions()
        options.address = .tcp(host: "127.0.0.1", port: 0)
        options.limits.idleTimeout = .seconds(10)
        change(&options)
        let stores = try await Stores.open(
            path: folder.appendingPathComponent("grafana.db").path, secretKey: Secret("test-key"))
        var admin = NewUser(login: "admin", email: "admin@localhost", password: Secret("admin"))
        admin.mustChangePassword = true
        _ = try await stores.users.ensureAdmin(admin)
        let trust = ServerTrust(folder: folder.path + "/trust", stores: stores, logger: logger)
        await trust.reload()
        let platform = try await makePlatform(folder: folder.path, trust: trust, logger: logger)
        try await serve(options, livePolicy, stores, platform, trust, folder.path, logger, body)
        await stores.close()
    }

    private static func makePlatform(
        folder: String, trust: ServerTrust, logger: Logger
    ) async throws -> PluginPlatform {
        let plugins = folder + "/plugins"
        try FileManager.default.createDirectory(atPath: plugins, withIntermediateDirectories: true)
        try writePanel(in: plugins)
        var loading = LoadingSettings()
        loading.unsignedIDs = ["acme-clock-panel"]
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(pluginsFolder: plugins, loading: loading, serverVersion: "12.4.0"),
            builtins: [
                BuiltinPlugin(descriptorJSON: ProbeDataSource.descriptor) { ProbeDataSource.plugin.entry($0) },
                BuiltinPlugin(descriptorJSON: TestDataPlugin.descriptorJSON, entry: testdata_entry),
            ], keyValues: MemoryKeyValues(), logger: logger,
            verifier: TrustVerifier(trust: trust.current))
        await platform.load()
        // Too late to belong to the plugin: the list of its files is that of the time of discovery.
        try FileManager.default.createSymbolicLink(
            atPath: "\(plugins)/acme-clock-panel/passwd.txt", withDestinationPath: "/etc/passwd")
        return platform
    }

    /// A panel plugin that is allowed without a signature, and one that is not.
    private static func writePanel(in folder: String) throws {
        for id in ["acme-clock-panel", "acme-refused-panel"] {
            let plugin = "\(folder)/\(id)"
            try FileManager.default.createDirectory(atPath: plugin + "/img", withIntermediateDirectories: true)
            let descriptor = """
                {"id":"\(id)","type":"panel","name":"Clock <b>","executable":"gpx_clock","info":{"version":"1.2.3","author":{"name":"Acme"}},
                 "dependencies":{"grafanaDependency":">=10.0.0"}}
                """
            try descriptor.write(toFile: plugin + "/plugin.json", atomically: true, encoding: .utf8)
            try "define([],()=>{})".write(toFile: plugin + "/module.js", atomically: true, encoding: .utf8)
            try "define(code)".write(toFile: plugin + "/gpx_clock_linux_amd64", atomically: true, encoding: .utf8)
            try FileManager.default.createSymbolicLink(
                atPath: plugin + "/img/logo.svg", withDestinationPath: "../gpx_clock_linux_amd64")
        }
    }

    private static func serve(
        _ options: ServerOptions, _ livePolicy: LivePolicy, _ stores: Stores, _ platform: PluginPlatform,
        _ trust: ServerTrust, _ folder: String, _ logger: Logger,
        _ body: @Sendable @escaping (TestServer) async throws -> Void
    ) async throws {
        let settings = try Settings.load(Settings.Options(homePath: repositoryRoot.path))
        let (running, signal) = AsyncStream<GrafanaServer.Address>.makeStream()
        let server = GrafanaServer(
            options: options, settings: settings, stores: stores, platform: platform, trust: trust,
            livePolicy: livePolicy, logger: logger
        ) { signal.yield($0) }
        let watch = TrustWatch(trust: trust, platform: platform, period: .milliseconds(20), logger: logger)
        let group = ServiceGroup(services: [platform, watch, server], logger: logger)
        let client = AsyncHTTPClient.HTTPClient(eventLoopGroupProvider: .singleton)
        do {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    defer { signal.finish() }
                    try await group.run()
                }
                guard let address = await running.first(where: { _ in true }) else {
                    try await tasks.waitForAll()
                    return
                }
                var port = 0
                if case .tcp(_, let bound) = address { port = bound }
                let test = TestServer(
                    port: port, stores: stores, platform: platform, trust: trust, folder: folder, client: client)
                do {
                    try await body(test)
                } catch {
                    await group.triggerGracefulShutdown()
                    throw error
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    /// Adds a data source of the probe plugin.
    @discardableResult
    func addProbe(name: String = "probe", uid: String = "probe", jsonData: String = "{}") async throws -> Int64 {
        var fields = DataSourceFields(name: name, type: "acme-probe-datasource")
        fields.jsonData = jsonData
        let secrets = ["apiKey": Secret("s3cret")]
        return try await stores.dataSources.add(orgID: 1, fields, uid: uid, secrets: secrets).id
    }
}

/// An answer with its whole body.
struct Answer: Sendable {
    var status: Int
    var headers: NIOHTTP1.HTTPHeaders
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    /// The body as JSON; null when it is none.
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    var message: String { json["message"]?.string ?? "" }
}

extension TestServer {
    /// Sends a request as `admin` with basic authentication.
    func send(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, headers: [(String, String)] = [],
        user: String? = "admin:admin"
    ) async throws -> Answer {
        var headers = headers
        if body != nil { headers.append(("content-type", "application/json")) }
        return try await sendBytes(method, path, body.map { Array($0.encoded().utf8) }, headers: headers, user: user)
    }

    func sendBytes(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]? = nil, headers: [(String, String)] = [],
        user: String? = "admin:admin"
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let user {
            request.headers.add(name: "authorization", value: "Basic " + Data(user.utf8).base64EncodedString())
        }
        if let body { request.body = .bytes(body) }
        let response = try await client.execute(request, timeout: .seconds(30))
        let bytes = try await response.body.collect(upTo: 256 << 20)
        return Answer(
            status: Int(response.status.code), headers: response.headers, body: Array(bytes.readableBytesView))
    }

    func get(_ path: String, headers: [(String, String)] = [], user: String? = "admin:admin") async throws -> Answer {
        try await send(.GET, path, headers: headers, user: user)
    }

    /// Runs queries of the probe.
    func query(_ queries: [JSONValue], headers: [(String, String)] = []) async throws -> Answer {
        let body: JSONValue = ["queries": .array(queries), "from": "now-1h", "to": "now"]
        return try await send(.POST, "/api/ds/query", body, headers: headers)
    }
}
