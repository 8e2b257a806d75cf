// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import PluginABI
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Eight plugins under load while everything happens to them that can; `make chaos` does it for ten minutes.
    struct ChaosTests {}
}

extension EndToEnd.ChaosTests {
    /// The sequence of harms; the same number makes the same sequence.
    private static let seed =
        ProcessInfo.processInfo.environment["CHAOS_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 1...1_000_000)
    /// What a request may take: a call whose process was stopped is given up a second after somebody left it.
    private static let deadline = Duration.seconds(30)
    private static let workers = 3

    @Test func everyRequestIsAnsweredWhateverHappensToPlugins() async throws {
        try await GrafanaHome.use { home in
            for plugin in ChaosPlugin.all { try await plugin.install(home) }
            let server = try await home.start(
                ChaosPlugin.all.flatMap(\.settings) + ["plugins.max_call_cpu_time=2s"],
                environment: ["GF_DEFAULT_APP_MODE": "development"])
            defer { server.program.end() }
            for plugin in ChaosPlugin.all { try plugin.addSource(server, home) }
            try await Self.settle(server)
            // A crash in the server's own process comes first: what follows is measured in one image.
            try await Self.crashTheServer(server)
            try await Self.settle(server)
            let before = ProcessHoldings(server.program.pid)

            let tally = try await Self.run(server, home)

            try await Self.settle(server)
            try await Self.judge(server, before, tally)
        }
    }

    // MARK: The parts

    private static func crashTheServer(_ server: GrafanaServer) async throws {
        let connection = try LoopbackConnection(port: server.port)
        connection.send(
            GrafanaServer.request("POST", "/api/ds/query", GrafanaServer.query("inner", ["try": "fault"])))
        #expect((try? connection.readToEnd())?.isEmpty != false)
        try await eventually("the server answers again", within: 30) {
            (try? server.get("/readyz", user: nil))?.status == 200
        }
        let status = try server.get("/api/plugins/test-inner-datasource").json["status"]
        #expect(status?["level"]?.string == "process")
        #expect(status?["quarantine"]?["cause"]?.string == "crash")
    }

    /// Reloads what is broken, and waits until every plugin answers.
    private static func settle(_ server: GrafanaServer) async throws {
        for plugin in ChaosPlugin.all {
            try await eventually("\(plugin.name) answers", within: 90) {
                var tally = ChaosTally()
                tally.add(
                    try? LoopbackConnection(port: server.port).exchange(plugin.question), of: plugin, after: .zero)
                if tally.good == 1 { return true }
                _ = try server.send("POST", "/api/plugins/\(plugin.id)/reload")
                return false
            }
        }
    }

    private static func run(_ server: GrafanaServer, _ home: GrafanaHome) async throws -> ChaosTally {
        let end = ContinuousClock.now + .seconds(chaosSeconds)
        return try await withThrowingTaskGroup(of: ChaosTally.self) { group in
            for worker in 0..<workers { group.addTask { Self.load(server, worker, until: end) } }
            var random = ChaosRandom(state: seed)
            var harms: [String: Int] = [:]
            while ContinuousClock.now < end {
                let harm = ChaosHarm.allCases.randomElement(using: &random) ?? .kill
                harms[harm.rawValue, default: 0] += 1
                try await harm.happen(server, home, &random)
                let pause = Int.random(in: 20...200, using: &random)
                try await Task.sleep(for: .milliseconds(pause))  // Reason: harm at any moment is what is tested
            }
            print("chaos: seed \(seed), \(harms.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" })")
            return try await group.reduce(ChaosTally(), +)
        }
    }

    /// Asks one plugin after the other, each time on a connection of its own.
    private static func load(_ server: GrafanaServer, _ worker: Int, until end: ContinuousClock.Instant) -> ChaosTally {
        var tally = ChaosTally()
        var number = worker
        while ContinuousClock.now < end {
            let plugin = ChaosPlugin.all[number % ChaosPlugin.all.count]
            number += 1
            let began = ContinuousClock.now
            let answer = try? LoopbackConnection(port: server.port, seconds: 90).exchange(plugin.question)
            tally.add(answer, of: plugin, after: ContinuousClock.now - began)
        }
        return tally
    }

    private static func judge(_ server: GrafanaServer, _ before: ProcessHoldings, _ tally: ChaosTally) async throws {
        print(
            "chaos: \(tally.total) requests: \(tally.good) good, errors \(tally.errors), "
                + "slowest \(tally.slowest) of \(tally.slowestPlugin)")
        for (status, (time, text)) in tally.words.sorted(by: { $0.key < $1.key }) {
            print("chaos: \(status) after \(time): \(text)")
        }
        #expect(tally.lost == 0, "connections ended without an answer")
        #expect(tally.strange.isEmpty, "\(tally.strange.prefix(5))")
        #expect(tally.good > 0)
        #expect(tally.slowest < deadline)
        #expect(server.program.isRunning)
        let begun = server.log.split(separator: "\n").count { $0.contains("HTTP server listens") }
        #expect(begun == 2, "the server began \(begun) times")

        // What was given up ends a moment later.
        var after = ProcessHoldings(server.program.pid)
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end, !Self.isBackToNormal(after, before) {
            try await Task.sleep(for: .milliseconds(200))  // Reason: the kernel tells nobody of descriptors
            after = ProcessHoldings(server.program.pid)
        }
        print("chaos: before \(before)\nchaos: after  \(after)")
        #expect(Self.isBackToNormal(after, before), "before \(before), after \(after)")
        #expect(after.residentBytes < before.residentBytes + 200 << 20)
        for plugin in ChaosPlugin.all {
            let status = try server.get("/api/plugins/\(plugin.id)").json["status"]
            let isQuarantined = status?["quarantine"] != .null
            #expect(isQuarantined == (plugin.name == "inner"), "\(plugin.name): \(status ?? .null)")
        }
    }

    private static func isBackToNormal(_ after: ProcessHoldings, _ before: ProcessHoldings) -> Bool {
        after.descriptors <= before.descriptors + 12 && after.memoryFiles <= before.memoryFiles + 6
            && after.threads <= before.threads + 16 && after.children == before.children && after.zombies == 0
    }
}

/// Something bad that happens to one plugin.
private enum ChaosHarm: String, CaseIterable {
    case kill, stop, hang, flood, spin, crash, reload, corrupt

    func happen(_ server: GrafanaServer, _ home: GrafanaHome, _ random: inout ChaosRandom) async throws {
        let breakable = ChaosPlugin.breakable.randomElement(using: &random) ?? ChaosPlugin.all[2]
        let killable = ChaosPlugin.killable.randomElement(using: &random) ?? ChaosPlugin.all[2]
        switch self {
        case .kill: try Self.signal(server, killable, SIGKILL)
        case .stop:
            try Self.signal(server, killable, SIGSTOP)
            // Whoever leaves lets the server notice that nothing moves there.
            try await Self.leave(server, killable.question, after: .milliseconds(300))
            try await Task.sleep(for: .milliseconds(1_500))  // Reason: how long it stands is the harm
        case .hang: try await Self.leave(server, Self.question(breakable, "hang"), after: .milliseconds(200))
        case .flood: try await Self.leave(server, Self.question(breakable, "flood"), after: .milliseconds(500))
        case .spin: try await Self.leave(server, Self.question(breakable, "spin"), after: .milliseconds(300))
        case .crash:
            _ = try? LoopbackConnection(port: server.port).exchange(Self.question(breakable, "fault"))
        case .reload: _ = try server.send("POST", "/api/plugins/\(killable.id)/reload")
        case .corrupt: try await Self.corrupt(breakable, server, home)
        }
    }

    private static func question(_ plugin: ChaosPlugin, _ mode: String) -> [UInt8] {
        GrafanaServer.request("POST", "/api/ds/query", GrafanaServer.query(plugin.name, ["try": .string(mode)]))
    }

    private static func signal(_ server: GrafanaServer, _ plugin: ChaosPlugin, _ number: Int32) throws {
        let status = try server.get("/api/plugins/\(plugin.id)").json["status"]
        // The number of a process that has just ended belongs to nobody for a while.
        if let process = status?["process"]?["pid"]?.int, process > 1 { Glibc.kill(Int32(process), number) }
    }

    /// Asks, and goes away before the answer.
    private static func leave(_ server: GrafanaServer, _ question: [UInt8], after time: Duration) async throws {
        let connection = try LoopbackConnection(port: server.port)
        connection.send(question)
        try await Task.sleep(for: time)  // Reason: how long it stays is the harm
        connection.reset()
    }

    /// Puts garbage in the place of the library, has it looked at, and puts the library back.
    private static func corrupt(_ plugin: ChaosPlugin, _ server: GrafanaServer, _ home: GrafanaHome) async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: plugin.folder(home).path)
        guard let name = names.first(where: { $0.hasSuffix(".so") }) else { return }
        let file = plugin.folder(home).appending(path: name)
        let library = try Data(contentsOf: file)
        try Data(repeating: 0x5A, count: 4_096).write(to: file, options: .atomic)
        _ = try server.send("POST", "/api/plugins/\(plugin.id)/reload")
        try library.write(to: file, options: .atomic)
        _ = try server.send("POST", "/api/plugins/\(plugin.id)/reload")
    }
}

/// SplitMix64.
private struct ChaosRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
