// SPDX-License-Identifier: Apache-2.0
import Dispatch
import PluginABI
import Synchronization

/// A data source that does what a test asks for.
struct ProbeDataSource: QueryHandler, CheckHealthHandler, CallResourceHandler, StreamHandler {
    static let descriptor = """
        {"id":"acme-probe-datasource","type":"datasource","name":"Probe","backend":true,"aliasIDs":["probe-old"],
         "info":{"version":"1.0.0","author":{"name":"Acme"}}}
        """
    static let plugin = PluginDefinition(
        id: "acme-probe-datasource", version: "1.0.0", dataSource: ProbeDataSource.self, threads: 8)

    /// Told when a query that waits is cancelled, by its refId.
    static let cancellations = Mutex<Set<String>>([])
    /// The runs of streams, by path.
    static let runs = Mutex<[String: Int]>([:])

    /// Data sources with the setting `"slow": true` are made when a test lets them.
    static let making = Atomic<Int>(0)
    static let mayBeMade = DispatchSemaphore(value: 0)

    let settings: DataSourceInstanceSettings
    let host: Host

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        self.settings = settings
        self.host = host
        if settings.jsonData["slow"]?.bool == true {
            Self.making.add(1, ordering: .relaxed)
            Self.mayBeMade.wait()
        }
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        switch query.queryType {
        case "fail": throw PluginError(.invalid, "bad expression <here>", source: .user)
        case "downstream": throw PluginError(.downstream, "upstream said no", httpStatus: 503)
        case "notice":
            response.notice(Notice(severity: .warning, text: "careful"))
            try await response.send(Self.numbers(query, count: 1))
        case "large":
            let frames = query.model["frames"]?.int ?? 40
            for index in 0..<frames { try await response.send(Self.numbers(query, count: 2000, name: "f\(index)")) }
        case "late-failure":
            for _ in 0..<80 { try await response.send(Self.numbers(query, count: 2000)) }
            throw PluginError(.downstream, "broke in the middle")
        case "wait":
            do {
                try await context.sleep(for: .seconds(30))
            } catch {
                _ = Self.cancellations.withLock { $0.insert(query.refID) }
                throw error
            }
        case "empty": break
        case "defaults":
            let texts = [
                ("fromExpression", context.header("X-Grafana-From-Expr") ?? ""), ("interval", "\(query.interval)"),
                ("points", "\(query.maxDataPoints)"),
            ]
            try await response.send(
                DataFrame(fields: [Field("value", [1.0])] + texts.map { Field($0.0, [$0.1]) }))
        case "pause":
            try await context.sleep(for: .milliseconds(300))
            try await response.send(Self.numbers(query, count: 1))
        default: try await response.send(echo(query, context))
        }
    }

    private func echo(_ query: DataQuery, _ context: CallContext) -> DataFrame {
        DataFrame(
            name: "echo",
            fields: [
                Field("json", [query.json.text]), Field("from", [query.from]), Field("to", [query.to]),
                Field("points", [Int64(query.maxDataPoints)]), Field("interval", ["\(query.interval)"]),
                Field("login", [context.principal?.login ?? ""]), Field("uid", [settings.uid]),
                Field("panel", [context.header("X-Panel-Id") ?? ""]), Field("secret", [host.secret("apiKey") ?? ""]),
                Field("cookie", [context.header("Cookie") ?? ""]), Field("trace", [context.traceContext ?? ""]),
            ])
    }

    static func numbers(_ query: DataQuery, count: Int, name: String = "numbers") -> DataFrame {
        let times = (0..<count).map { Timestamp(milliseconds: Int64($0) * 1000) }
        return DataFrame(name: name, fields: [Field("Time", times), Field("Value", (0..<count).map { Double($0) })])
    }

    func checkHealth(context: CallContext) async throws -> HealthResult {
        switch settings.jsonData["health"]?.string {
        case "error": HealthResult(.error, "no route", details: ["verbose": "why"])
        case "throw": throw PluginError(.internal, "broken")
        default: HealthResult(.ok, "fine", details: ["version": "1"])
        }
    }

    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        switch request.path {
        case "chunks":
            try await response.head(status: 200, headers: ["Content-Type": "text/plain", "Set-Cookie": "a=b"])
            for index in 0..<1000 { try await response.write(Array("chunk \(index)\n".utf8)) }
        case "none": try await response.head(status: 204)
        case "teapot": try await response.respond(status: 418, json: ["short": true])
        case "wait":
            do {
                try await context.sleep(for: .seconds(30))
            } catch {
                _ = Self.cancellations.withLock { $0.insert("resource") }
                throw error
            }
        default:
            let names = request.headers.map { JSONValue.string($0.name.lowercased()) }
            let body = String(decoding: try await request.body(upTo: 1 << 24), as: UTF8.self)
            try await response.respond(
                status: 200,
                json: [
                    "method": .string(request.method), "path": .string(request.path), "query": .string(request.query),
                    "body": .string(body), "headers": .array(names),
                ])
        }
    }

    func subscribeStream(_ request: StreamRequest, context: CallContext) async throws -> SubscribeResult {
        switch request.path {
        case "missing": .notFound
        case "secret": .permissionDenied
        default: .ok()
        }
    }

    func runStream(_ request: StreamRequest, context: CallContext, into sender: StreamSender) async throws {
        let run = Self.runs.withLock { runs in
            runs[request.path, default: 0] += 1
            return runs[request.path] ?? 0
        }
        if request.path.hasPrefix("fails-once"), run == 1 { throw PluginError(.io, "first run") }
        var count = 0.0
        while request.path.hasPrefix("short") ? count < 3 : true {
            try await sender.send(DataFrame(name: "live", fields: [Field("run", [Double(run)]), Field("n", [count])]))
            count += 1
            try await context.sleep(for: .milliseconds(10))
        }
    }
}
