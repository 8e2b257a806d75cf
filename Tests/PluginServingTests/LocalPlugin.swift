// SPDX-License-Identifier: Apache-2.0
import Foundation
import Logging
import PluginABI
import PluginHost
import Testing

@testable import PluginServing

/// The same plugin in the server's own process, for comparison.
struct LocalPlugin {
    let platform: PluginPlatform
    let id: String

    static func with<R>(_ folder: String, _ body: (LocalPlugin) async throws -> R) async throws -> R {
        var loading = LoadingSettings()
        loading.isDevelopment = true
        let descriptor = try PluginDescriptor(
            pluginJSON: Array(try Data(contentsOf: URL(filePath: folder).appending(path: "plugin.json"))))
        let configuration = PlatformConfiguration(
            pluginPaths: [descriptor.id: folder], loading: loading, serverVersion: "12.4.0",
            isolation: IsolationPolicy(common: .inProcess))
        let platform = PluginPlatform(
            configuration: configuration, builtins: [], keyValues: MemoryKeyValues(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await platform.load()
        do {
            try #require(platform.refusals.isEmpty, "\(platform.refusals)")
            let result = try await body(LocalPlugin(platform: platform, id: descriptor.id))
            await platform.shutDown()
            return result
        } catch {
            await platform.shutDown()
            throw error
        }
    }

    /// The frames and the failure of one query as this server has them.
    func query(
        _ model: JSONValue, to: Int64 = 1_100_000, interval: Int64 = 1_000, points: Int = 100
    ) async throws -> (frames: [DataFrame], error: PluginError?) {
        let text = model.encoded()
        let query = DataQuery(
            refID: "A", json: JSONText(text), model: model, from: Timestamp(milliseconds: 1_000_000),
            to: Timestamp(milliseconds: to), interval: .milliseconds(interval), maxDataPoints: points)
        let source = DataSourceConfiguration(
            settings: DataSourceInstanceSettings(id: 7, uid: "u", name: "N", pluginID: id), version: 1)
        var frames: [DataFrame] = []
        var places: [UInt32: Int] = [:]
        var failure: PluginError?
        for await event in try await platform.queryData([query], of: source, facts: CallFacts()) {
            switch event {
            case .frame(let number, let frame):
                places[number] = frames.count
                frames.append(frame)
            case .rows(let number, let rows):
                let place = try #require(places[number])
                frames[place] = try frames[place].appending(rows)
            case .failed(let error, _): failure = error
            case .completed(let error): failure = failure ?? error
            case .notice, .head, .bytes, .checkpoint: break
            }
        }
        return (frames, failure)
    }
}
