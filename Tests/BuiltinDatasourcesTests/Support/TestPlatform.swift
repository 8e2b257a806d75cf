// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginABI
import PluginHost
import Testing

/// A platform with one built-in plugin, for the length of a test.
enum TestPlatform {
    static func run<Result: Sendable>(
        _ builtin: BuiltinPlugin, limits: CallLimits = CallLimits(), _ body: (PluginPlatform) async throws -> Result
    ) async throws -> Result {
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(serverVersion: "12.4.0", limits: limits), builtins: [builtin],
            keyValues: EmptyKeyValues(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        await platform.load()
        do {
            let result = try await body(platform)
            await platform.shutDown()
            return result
        } catch {
            await platform.shutDown()
            throw error
        }
    }
}

/// What a query or a stream gave.
struct CallResult: Sendable {
    var frames: [DataFrame] = []
    var failure: PluginError?
    var notices: [Notice] = []

    /// Reads events, with the rows of open frames joined, until the end or until `isEnough` says so.
    init(_ events: CallEvents, until isEnough: (CallResult) -> Bool = { _ in false }) async throws {
        var places: [UInt32: Int] = [:]
        for await event in events {
            switch event {
            case .frame(let number, let frame):
                places[number] = frames.count
                frames.append(frame)
            case .rows(let number, let rows):
                let place = try #require(places[number])
                frames[place] = try frames[place].appending(rows)
            case .failed(let error, _): failure = error
            case .notice(let notice, _): notices.append(notice)
            case .completed(let error): failure = failure ?? error
            default: break
            }
            if isEnough(self) { return }
        }
    }
}
