// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import PluginHost

/// What a plugin in the sandbox (L3) can not do, and that the same tries succeed without one.
struct SandboxTests {
    /// Tries that the system denies in a sandbox only.
    static let tries: [JSONObject] = [
        ["try": "read-file", "text": "/etc/passwd"], ["try": "read-file", "text": "/proc/1/status"],
        ["try": "write-file"], ["try": "fork"], ["try": "execute"], ["try": "signal-server"],
        ["try": "signal-by-pipe"], ["try": "read-server-memory"],
    ]
    /// Tries that it denies there, whatever it does elsewhere.
    static let alwaysDenied: [JSONObject] = [
        ["try": "trace-server"], ["try": "new-namespace"], ["try": "io-uring"], ["try": "keyring"],
        ["try": "raise-limit"], ["try": "namespace-thread"], ["try": "huge-pages"],
    ]

    @Test func whatIsForbiddenIsDenied() async throws {
        try await PryingPlugin.run(at: .sandbox) { plugin in
            for attempt in Self.tries + Self.alwaysDenied {
                let answer = try await plugin.answer(attempt)
                #expect(answer.failures["A"]?.code == .forbidden, "\(attempt): \(answer)")
            }
            #expect(plugin.process?.restarts == 0)
        }
    }

    @Test func theSameIsPossibleWithoutASandbox() async throws {
        try await PryingPlugin.run(at: .process) { plugin in
            for attempt in Self.tries {
                let outcome = try await plugin.text(attempt)
                #expect(outcome == "done", "\(attempt)")
            }
        }
    }

    @Test func theNetworkIsReachedThroughTheHostAlone() async throws {
        let server = try await LoopbackServer.start()
        defer { server.stop() }
        let port = try #require(server.url.split(separator: ":").last.flatMap { Int64($0) })
        let query: JSONObject = ["try": "connect", "number": .integer(port)]
        let fetch: JSONObject = ["try": "fetch", "text": .string(server.url)]
        try await PryingPlugin.run(at: .process) { plugin in
            let connected = try await plugin.text(query)
            #expect(connected == "done")
            let fetched = try await plugin.text(fetch)
            #expect(fetched == "200 3000000")
        }
        try await PryingPlugin.run(at: .sandbox) { plugin in
            let connected = try await plugin.answer(query)
            #expect(connected.failures["A"]?.code == .forbidden)
            let refused = try await plugin.answer(fetch)
            #expect(refused.failures["A"]?.code == .forbidden)
            #expect(refused.failures["A"]?.message.contains("permissions") == true, "\(refused)")
        }
        try await PryingPlugin.run(at: .sandbox, permissions: #"{"hosts": ["127.0.0.1"]}"#) { plugin in
            let fetched = try await plugin.text(fetch)
            #expect(fetched == "200 3000000")
        }
    }

    @Test(arguments: [IsolationLevel.process, .sandbox])
    func theConfigurationsOfOtherPluginsAreNotReached(level: IsolationLevel) async throws {
        try await PryingPlugin.run(at: level) { plugin in
            // An instance of another plugin, which has the secret that is looked for.
            var other = plugin.test.source("probe-datasource")
            other.secrets = ["apiKey": "secret"]
            let known = try await plugin.test.answer([plugin.test.query(#"{"try":"secret"}"#)], of: other)
            #expect(known.frames.first?.fields.first?.column.string(at: 0) == "secret")

            let secrets = try await plugin.answer(["try": "foreign-secrets"])
            #expect(secrets.failures["A"]?.code == .forbidden, "\(secrets)")
            let fetched = try await plugin.answer(["try": "fetch", "text": "http://127.0.0.1:1", "number": 40])
            #expect(fetched.failures["A"]?.code == .state, "\(fetched)")
        }
    }

    @Test func thePermissionsOpenFolders() async throws {
        let folder = try LoadingFolder()
        try folder.write("open/file", "text")
        try await PryingPlugin.run(at: .sandbox, permissions: #"{"paths": ["\#(folder["open"])"]}"#) { plugin in
            let opened = try await plugin.text(["try": "read-file", "text": .string(folder["open/file"])])
            #expect(opened == "done")
        }
    }

    @Test func whatPluginsNeedWorks() async throws {
        try await PryingPlugin.run(at: .sandbox) { plugin in
            let thread = try await plugin.text(["try": "thread"])
            #expect(thread == "done")
            let capabilities = try await plugin.text(["try": "capabilities"])
            #expect(capabilities == "0000000000000000")
            let printed = try await plugin.text(["try": "print"])
            #expect(printed == "printed")
            let answer = try await plugin.answer(["try": "frame", "number": 100_000])
            #expect(answer.frames.first?.rowCount == 100_000)
        }
    }
}
