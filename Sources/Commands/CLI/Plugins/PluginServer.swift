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
    ///
    /// When an update asks for more permissions than were granted, the server refuses it and says which; they are shown and
    /// asked for here, and the server is asked again.
    func install(
        _ id: String, version: String?, consent: InstallConsent, questions: PluginConsent, terminal: Terminal
    ) async throws {
        let asked = Mutex<[PermissionQuestion]>([])
        var end = try await request(id, version, consent) { question in asked.withLock { $0.append(question) } }
        if end.code == CatalogError.Code.permissionsRefused.rawValue, !asked.withLock({ $0.isEmpty }) {
            var more = consent
            for question in asked.withLock({ $0 }) {
                guard try questions.permissions(question) else { throw end.failure(id, client) }
                more.permissions.formUnion(question.wanted)
            }
            end = try await request(id, version, more) { _ in }
        }
        if end.code == CatalogError.Code.alreadyInstalled.rawValue { return try Terminal.write(end.message + "\n") }
        guard end.status == 200 else { throw end.failure(id, client) }
        try Terminal.write(ResultLine.good(end.message, terminal))
    }

    private func request(
        _ id: String, _ version: String?, _ consent: InstallConsent,
        asking: @escaping @Sendable (PermissionQuestion) -> Void
    ) async throws -> ServerEnd {
        var body: JSONObject = [
            "acceptPublisher": .bool(consent.acceptsPublisher), "allowDowngrade": .bool(consent.allowsDowngrade),
            "permissions": .array(consent.permissions.sorted().map { .string($0) }),
        ]
        if let version { body["version"] = .string(version) }
        let progress = ProgressText(isChatty: false)
        defer { progress.finish() }
        let end = Mutex<ServerEnd?>(nil)
        let answer = try await client.post("/api/plugins/\(DataSourceLookup.encoded(id))/install", .object(body)) {
            line in
            if let result = ServerEnd(line) { end.withLock { $0 = result } }
            guard let event = InstallEvent(line) else { return }
            if case .asking(let question) = event { asking(question) }
            progress.show(event)
        }
        if let failure = answer.failure("plugin '\(id)'") { throw failure }
        guard let end = end.withLock({ $0 }) else {
            throw CommandFailure(
                .unavailable, "plugin '\(id)': the server ended the answer early; see its log, and whether it runs")
        }
        return end
    }

    /// Brings one plugin, or all, to the newest version.
    ///
    /// Of all, those that are pinned or in no catalogue stay with a notice, and one that fails leaves the others their update.
    func update(
        _ id: String?, consent: InstallConsent, questions: PluginConsent, terminal: Terminal
    ) async throws {
        let answer = try await client.get("/api/plugins?core=0")
        if let failure = answer.failure("the list of plugins") { throw failure }
        let list = (try? JSONValue(parsing: answer.body))?.array ?? []
        let ids = list.compactMap { $0["id"]?.string }.filter { id == nil || $0 == id }
        if let id, ids.isEmpty {
            throw CommandFailure(
                .badData, "plugin does not exist: '\(id)' is not on '\(client.url)'; see grafana-cli plugins list")
        }
        var failures: [CommandFailure] = []
        for plugin in ids {
            do {
                try await install(
                    plugin, version: "latest", consent: consent, questions: questions, terminal: terminal)
            } catch let error as ServerRefusal where id == nil {
                if error.isNoFault {
                    let words = error.failure.message
                    let reason = words.dropPrefix("plugin '\(plugin)': ") ?? words
                    Terminal.report("notice", "plugin '\(plugin)' stays as it is: \(reason)")
                } else {
                    Terminal.report("error", error.failure.message)
                    failures.append(error.failure)
                }
            }
        }
        if let first = failures.first { throw ExitCode(first.status.rawValue) }
    }

    /// Lets the server remove a plugin.
    func remove(_ id: String) async throws {
        let answer = try await client.post("/api/plugins/\(DataSourceLookup.encoded(id))/uninstall", [:])
        if let failure = answer.failure("plugin '\(id)'") { throw failure }
    }
}

/// What a server did not do, with its own words.
struct ServerRefusal: Error {
    var failure: CommandFailure
    /// Whether it is how things are meant to be: a pinned plugin, or one that is in no catalogue.
    var isNoFault: Bool
}

/// The last line of an installation by a server.
private struct ServerEnd: Sendable {
    var status: Int
    var message: String
    /// The code of the failure; empty when there was none.
    var code: String
    /// The line itself, which is formed as the body of an answer is.
    private let line: JSONValue

    init?(_ line: JSONValue) {
        guard line["event"]?.string == "end", let status = line["status"]?.int else { return nil }
        self.status = status
        message = line["message"]?.string ?? ""
        code = line["code"]?.string ?? ""
        self.line = line
    }

    func failure(_ id: String, _ client: APIClient) -> ServerRefusal {
        let whole = APIClient.Answer(status: status, body: Array(line.encoded().utf8))
        let noFaults = [CatalogError.Code.versionPinned, .pluginNotFound].map(\.rawValue)
        return ServerRefusal(
            failure: whole.failure("plugin '\(id)'") ?? CommandFailure(.unavailable, "plugin '\(id)': \(message)"),
            isNoFault: noFaults.contains(code))
    }
}
