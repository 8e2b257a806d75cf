// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI
import Synchronization

/// The running server that does the work, when one is named.
struct PluginServerOptions: ParsableArguments {
    @Option(help: "A running server that does the work, with its own settings; such as http://localhost:3000.")
    var url: String?

    @OptionGroup var credentials: ServerCredentials
}

/// Plugins of a running server, by its API.
struct PluginServer: Sendable {
    let client: APIClient

    static func with<Value>(
        _ options: PluginServerOptions, url: String, timeout: TimeAmount,
        _ work: (PluginServer) async throws -> Value
    ) async throws -> Value {
        let authorization = try options.credentials.authorization()
        return try await APIClient.with(url: url, authorization: authorization, timeout: timeout) {
            try await work(PluginServer(client: $0))
        }
    }

    /// Lets the server install a plugin, and returns when it runs there.
    func install(_ id: String, version: String?, terminal: Terminal) async throws {
        var body = JSONObject()
        if let version { body["version"] = .string(version) }
        let progress = ProgressText(isChatty: false)
        defer { progress.finish() }
        let end = Mutex<ServerEnd?>(nil)
        let answer = try await client.post("/api/plugins/\(DataSourceLookup.encoded(id))/install", .object(body)) {
            line in
            if let result = ServerEnd(line) { end.withLock { $0 = result } }
            if let event = InstallEvent(line) { progress.show(event) }
        }
        progress.finish()
        if let failure = answer.failure("plugin '\(id)'") { throw failure }
        guard let end = end.withLock({ $0 }) else {
            throw CommandFailure(
                .unavailable, "plugin '\(id)': the server ended the answer early; see its log, and whether it runs")
        }
        if end.status == 409, end.isAlreadyInstalled { return try Terminal.write(end.message + "\n") }
        let whole = APIClient.Answer(
            status: end.status, body: Array(JSONValue.object(["message": .string(end.message)]).encoded().utf8))
        if let failure = whole.failure("plugin '\(id)'") { throw failure }
        try Terminal.write(ResultLine.good(end.message, terminal))
    }

    /// Brings one plugin, or all, to the newest version.
    func update(_ id: String?, terminal: Terminal) async throws {
        let answer = try await client.get("/api/plugins?core=0")
        if let failure = answer.failure("the list of plugins") { throw failure }
        let list = (try? JSONValue(parsing: answer.body))?.array ?? []
        let plugins = list.filter { id == nil || $0["id"]?.string == id }
        if let id, plugins.isEmpty {
            throw CommandFailure(
                .badData, "plugin does not exist: '\(id)' is not on '\(client.url)'; see grafana-cli plugins list")
        }
        for plugin in plugins {
            guard let id = plugin["id"]?.string else { continue }
            try await install(id, version: "latest", terminal: terminal)
        }
    }

    /// Lets the server remove a plugin.
    func remove(_ id: String) async throws {
        let answer = try await client.post("/api/plugins/\(DataSourceLookup.encoded(id))/uninstall", [:])
        if let failure = answer.failure("plugin '\(id)'") { throw failure }
    }
}

/// The last line of an installation by a server.
private struct ServerEnd: Sendable {
    var status: Int
    var message: String
    var isAlreadyInstalled: Bool

    init?(_ line: JSONValue) {
        guard line["event"]?.string == "end", let status = line["status"]?.int else { return nil }
        self.status = status
        message = line["message"]?.string ?? ""
        isAlreadyInstalled = line["code"]?.string == CatalogError.Code.alreadyInstalled.rawValue
    }
}
