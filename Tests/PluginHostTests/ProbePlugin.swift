// SPDX-License-Identifier: Apache-2.0
public import CPluginABI
import PluginABI
import PluginHost
import Synchronization

/// A plugin in Swift that shows what the SDK and the host's services do; each query names what it tries.
struct ProbeDataSource: QueryHandler, CheckHealthHandler, CallResourceHandler, StreamHandler, StateHandler {
    let settings: DataSourceInstanceSettings
    let host: Host
    private let memory = Memory()

    final class Memory: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    /// Told when a handler's task was cancelled.
    static let cancellations = Atomic<Int>(0)
    static let frames = Atomic<Int>(0)

    init(settings: DataSourceInstanceSettings, host: Host) throws {
        if settings.jsonData["refuse"]?.bool == true {
            throw PluginError(.invalid, "the setting 'refuse' is true; set it to false")
        }
        self.settings = settings
        self.host = host
    }

    func query(_ query: DataQuery, context: CallContext, into response: QueryResponder) async throws {
        switch query.model["try"]?.string {
        case "setting":
            let key = query.model["key"]?.string ?? ""
            try await response.send(text(host.setting(key) ?? "none"))
        case "secret": try await response.send(text(host.secret("apiKey") ?? "none"))
        case "principal":
            let principal = context.principal
            try await response.send(
                text("\(principal?.login ?? "server") \(principal?.role ?? "") \(context.header("x-panel-id") ?? "")"))
        case "kv": try await response.send(text(tryKeyValues()))
        case "sleep":
            try await context.sleep(for: .milliseconds(5))
            try await response.send(text("awake"))
        case "forever":
            await withTaskCancellationHandler {
                try? await context.sleep(for: .seconds(3_600))
            } onCancel: {
                Self.cancellations.add(1, ordering: .relaxed)
            }
            throw PluginError(.cancelled, "the call was cancelled")
        case "http": try await answerHTTP(query, context, response)
        case "socket": try await answerSocket(query, context, response)
        case "many": try await sendMany(response)
        case "remember": memory.bytes.withLock { $0 = Array((query.model["text"]?.string ?? "").utf8) }
        case "recall": try await response.send(text(String(decoding: memory.bytes.withLock { $0 }, as: UTF8.self)))
        case "downstream":
            throw PluginError(
                .downstream, "the upstream is tired", httpStatus: 503, retryAfter: .seconds(5), hint: "wait",
                details: JSONText(#"{"a":1}"#))
        case "notice":
            response.notice(Notice(severity: .warning, text: "only a part", link: "https://example.org"))
            try await response.send(text("part"))
        case "empty": try await response.send(DataFrame(name: "empty"))
        default: throw PluginError(.invalid, "there is no such probe")
        }
    }

    func text(_ text: String) -> DataFrame { DataFrame(fields: [Field("text", [text])]) }

    private func tryKeyValues() throws -> String {
        let first = try host.kv.put("a", [1])
        let second = try host.kv.put("a", [2], ifVersion: first)
        let conflict: String
        do {
            try host.kv.put("a", [3], ifVersion: first)
            conflict = "none"
        } catch let error as PluginError {
            conflict = error.code.name
        }
        let keys = try host.kv.list(prefix: "a")
        let stored = try host.kv.get("a")
        try host.kv.remove("a")
        let gone = try host.kv.get("a") == nil
        return "\(first) \(second) \(conflict) \(keys) \(stored?.value ?? []) \(gone)"
    }

    private func answerHTTP(_ query: DataQuery, _ context: CallContext, _ response: QueryResponder) async throws {
        let answer = try await context.http.send(HTTPRequest(url: query.model["path"]?.string ?? "/"))
        let body = try await answer.collect(upTo: 1 << 24)
        try await response.send(text("\(answer.status) \(body.count) \(answer.headers["X-Probe"] ?? "")"))
    }

    /// 64 MiB in frames of 1 MiB: more than a window.
    private func sendMany(_ response: QueryResponder) async throws {
        let column = Column(repeatElement(1.5, count: 131_072))
        for _ in 0..<64 {
            try await response.send(DataFrame(fields: [Field("value", column: column)]))
            Self.frames.add(1, ordering: .relaxed)
        }
    }

    func checkHealth(context: CallContext) async throws -> HealthResult {
        HealthResult(.error, "not well", details: ["reason": "probe"])
    }

    func callResource(
        _ request: ResourceRequest, context: CallContext, into response: ResourceResponder
    ) async throws {
        let body = try await request.body(upTo: 1 << 20)
        try await response.head(status: 201, headers: ["X-Method": request.method, "X-Query": request.query])
        try await response.write(body)
    }

    func subscribeStream(_ request: StreamRequest, context: CallContext) async throws -> SubscribeResult {
        request.path == "numbers" ? .ok(initial: text("first")) : .notFound
    }

    func runStream(_ request: StreamRequest, context: CallContext, into sender: StreamSender) async throws {
        var number = request.resumeToken.first.map { Int($0) } ?? 0
        while true {
            number += 1
            try await sender.send(DataFrame(fields: [Field("n", [Int64(number)])]))
            sender.checkpoint([UInt8(number % 256)])
            try await context.sleep(for: .milliseconds(1))
        }
    }

    func saveState() async throws -> [UInt8] { memory.bytes.withLock { $0 } }
    func loadState(_ bytes: [UInt8]) async throws { memory.bytes.withLock { $0 = bytes } }
}

enum ProbePlugin {
    static let definition = PluginDefinition(id: "probe-datasource", version: "1.0.0", dataSource: ProbeDataSource.self)

    static let builtin = BuiltinPlugin(
        descriptorJSON: """
            {"id": "probe-datasource", "type": "datasource", "name": "Probe", "backend": true, "info": {"version": "1.0.0"}}
            """, entry: { probe_entry($0) })
}

/// Returns the probe's description to the host, as the entry symbol of a plugin library does.
@c public func probe_entry(_ info: UnsafePointer<gf_host_info>?) -> UnsafePointer<gf_plugin_desc>? {
    ProbePlugin.definition.entry(info)
}
