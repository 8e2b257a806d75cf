// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginABI
import PluginHost

@testable import BuiltinDatasources

/// A SQL data source on the real platform, as the server uses it.
struct SQLSource: Sendable {
    /// What one query delivered.
    struct Answer: Sendable {
        var frames: [DataFrame] = []
        var batchCount = 0
        var notices: [String] = []
        var error: PluginError?

        var frame: DataFrame { frames.first ?? DataFrame() }

        /// The values of a column of the first frame, as the API writes them.
        func column(_ name: String) -> String {
            guard let field = frame.field(named: name) else { return "no column \(name)" }
            var writer = ByteWriter()
            DataFrame(fields: [field]).writeJSON(into: &writer)
            let json = try? JSONValue(parsing: writer.withBytes { Array($0) })
            return json?["data"]?["values"]?[0]?.encoded() ?? "no values"
        }

        func type(_ name: String) -> String { frame.field(named: name)?.type.name ?? "no column \(name)" }
    }

    let platform: PluginPlatform
    var source: DataSourceConfiguration

    static let sqlite = BuiltinPlugin(descriptorJSON: SQLitePlugin.descriptorJSON, entry: { sqlite_entry($0) })

    /// Runs the body with one data source of a plugin; nil: one that the configuration brings along.
    static func use<Result>(
        _ plugin: BuiltinPlugin?, _ id: String, jsonData: JSONValue, url: String = "", user: String = "",
        secrets: [String: String] = [:], log: RecordedLog? = nil,
        configuration: PlatformConfiguration = PlatformConfiguration(serverVersion: "12.4.0"),
        _ body: (SQLSource) async throws -> Result
    ) async throws -> Result {
        let logger =
            log.map { log in Logger(label: "test", factory: { _ in log.handler }) }
            ?? Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let platform = PluginPlatform(
            configuration: configuration, builtins: plugin.map { [$0] } ?? [],
            keyValues: EmptyKeyValues(), logger: logger)
        await platform.load()
        let settings = DataSourceInstanceSettings(
            uid: "sql", name: "SQL", pluginID: id, url: url, user: user, jsonData: jsonData)
        let source = SQLSource(
            platform: platform, source: DataSourceConfiguration(settings: settings, secrets: secrets, version: 1))
        do {
            let result = try await body(source)
            await platform.shutDown()
            return result
        } catch {
            await platform.shutDown()
            throw error
        }
    }

    /// Runs one query; the range is the first two minutes of 2026 unless it is given.
    func query(
        _ model: JSONObject, from: Int64 = 1_767_225_600_000, to: Int64 = 1_767_225_720_000, maxRows: Int? = nil
    ) async throws -> Answer {
        let model = JSONValue.object(model)
        let query = DataQuery(
            refID: "A", json: JSONText(model.encoded()), model: model, from: Timestamp(milliseconds: from),
            to: Timestamp(milliseconds: to), interval: .seconds(30), maxDataPoints: 100, maxRows: maxRows)
        var answer = Answer()
        var numbers: [UInt32: Int] = [:]
        for await event in try await platform.queryData([query], of: source, facts: CallFacts()) {
            switch event {
            case .frame(let number, let frame):
                answer.batchCount += 1
                numbers[number] = answer.frames.count
                answer.frames.append(frame)
            case .rows(let number, let rows):
                answer.batchCount += 1
                guard let place = numbers[number] else { continue }
                answer.frames[place] = try answer.frames[place].appending(rows)
            case .notice(let notice, _): answer.notices.append(notice.text)
            case .failed(let error, _): answer.error = error
            case .completed(let error): answer.error = answer.error ?? error
            default: break
            }
        }
        return answer
    }

    func health() async throws -> HealthResult { try await platform.checkHealth(of: source, facts: CallFacts()) }

    /// The JSON that a resource answers.
    func resource(_ path: String, query: String = "") async throws -> JSONValue {
        let answer = try await platform.callResource(
            ResourceCall(method: "GET", path: path, query: query), of: source, facts: CallFacts())
        var bytes: [UInt8] = []
        try await answer.forEachChunk { chunk in bytes += chunk.withBytes { Array($0) } }
        return (try? JSONValue(parsing: bytes)) ?? .string(String(decoding: bytes, as: UTF8.self))
    }
}

/// A store that is always empty.
struct EmptyKeyValues: KeyValueBackend {
    func get(scope: String, key: String) throws -> (value: [UInt8], version: Int64)? { nil }
    func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64 { 1 }
    func remove(scope: String, key: String) throws {}
    func keys(scope: String, prefix: String) throws -> [String] { [] }
    func totalBytes(scope: String) throws -> Int { 0 }
}
