// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
import Foundation
import Logging
import PluginABI
import Synchronization
import Testing

@testable import PluginHost

/// A platform over a plugins folder of its own; both end with the test.
final class TestPlatform: Sendable {
    let folder: LoadingFolder
    let platform: PluginPlatform
    let store = MemoryKeyValues()

    /// - Parameter examples: folders of `.build/examples` to copy into the plugins folder.
    init(
        examples: [String] = [], limits: CallLimits = CallLimits(), isDevelopment: Bool = true,
        verifier: any SignatureVerifier = TrustVerifier(),
        level: IsolationLevel = .inProcess, runner: RunnerSettings = RunnerSettings(),
        goPlugins: GoPluginSettings = GoPluginSettings(),
        prepare: (LoadingFolder) throws -> Void = { _ in },
        readIsolation: (@Sendable () throws -> IsolationPolicy)? = nil
    ) throws {
        folder = try LoadingFolder()
        for example in examples { try folder.install(example: example) }
        try prepare(folder)
        var loading = LoadingSettings()
        loading.isDevelopment = isDevelopment
        var configuration = PlatformConfiguration(
            pluginsFolder: folder.path, loading: loading, serverVersion: "12.4.0", limits: limits,
            isolation: IsolationPolicy(common: level), runner: runner, goPlugins: goPlugins,
            pluginSettings: ["probe-datasource": ["greeting": "from the operator"]])
        configuration.readIsolation = readIsolation
        platform = PluginPlatform(
            configuration: configuration,
            builtins: [
                BuiltinPlugin(descriptorJSON: TestDataPlugin.descriptorJSON, entry: { testdata_entry($0) }),
                ProbePlugin.builtin,
            ],
            keyValues: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, verifier: verifier)
    }

    /// Loads, runs the body and shuts down, also when the body throws.
    static func run<R: Sendable>(
        examples: [String] = [], limits: CallLimits = CallLimits(), level: IsolationLevel = .inProcess,
        runner: RunnerSettings = RunnerSettings(), prepare: (LoadingFolder) throws -> Void = { _ in },
        _ body: (TestPlatform) async throws -> R
    ) async throws -> R {
        let test = try TestPlatform(
            examples: examples, limits: limits, level: level, runner: runner, prepare: prepare)
        await test.platform.load()
        do {
            let result = try await body(test)
            await test.platform.shutDown()
            return result
        } catch {
            await test.platform.shutDown()
            throw error
        }
    }
}

extension LoadingFolder {
    /// Copies a built example into this folder; `make examples` builds them.
    func install(example: String, as name: String? = nil) throws {
        let source = Self.examples.appending(path: example)
        let library = try FileManager.default.contentsOfDirectory(atPath: source.path).first { $0.hasSuffix(".so") }
        try #require(library != nil, "\(source.path) is not built; run make examples")
        try FileManager.default.copyItem(atPath: source.path, toPath: self[name ?? example])
    }

    static let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: ".build/examples")
}

/// What one query request answered.
struct Answer {
    var frames: [DataFrame] = []
    var failures: [String: PluginError] = [:]
    var notices: [Notice] = []
    var error: PluginError?

    /// Reads all events; rows of one frame are joined.
    init(_ events: CallEvents) async throws {
        var indices: [UInt32: Int] = [:]
        for await event in events {
            switch event {
            case .frame(let number, let frame):
                indices[number] = frames.count
                frames.append(frame)
            case .rows(let number, let rows):
                let index = try #require(indices[number])
                frames[index] = try frames[index].appending(rows)
            case .failed(let error, let refID): failures[refID] = error
            case .notice(let notice, _): notices.append(notice)
            case .completed(let error): self.error = error
            case .bytes, .head, .checkpoint: break
            }
        }
    }
}

extension TestPlatform {
    func source(_ type: String, uid: String = "uid", json: JSONValue = .object([:]), version: Int = 1)
        -> DataSourceConfiguration
    {
        DataSourceConfiguration(
            settings: DataSourceInstanceSettings(uid: uid, name: uid, pluginID: type, jsonData: json), version: version)
    }

    /// One query over the last 100 seconds, a point a second.
    func query(_ json: String = "{}", refID: String = "A") throws -> DataQuery {
        DataQuery(
            refID: refID, json: JSONText(json), model: try JSONValue(parsing: Array(json.utf8)),
            from: Timestamp(milliseconds: 1_000_000), to: Timestamp(milliseconds: 1_100_000), interval: .seconds(1),
            maxDataPoints: 100)
    }

    func answer(_ queries: [DataQuery], of source: DataSourceConfiguration) async throws -> Answer {
        try await Answer(platform.queryData(queries, of: source, facts: CallFacts()))
    }
}
