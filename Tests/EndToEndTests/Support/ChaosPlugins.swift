// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport

/// A plugin of the chaos test.
struct ChaosPlugin: Sendable {
    enum Kind: Sendable {
        /// `Tests/Programs/crashing.c`, at a level.
        case crashing(level: String)
        case go
        case python
    }

    var name: String
    var id: String
    var kind: Kind

    static let all =
        ["inner", "steady"].map { Self(name: $0, id: "test-\($0)-datasource", kind: .crashing(level: "in-process")) }
        + ["alpha", "beta"].map { Self(name: $0, id: "test-\($0)-datasource", kind: .crashing(level: "process")) }
        + ["gamma", "delta"].map { Self(name: $0, id: "test-\($0)-datasource", kind: .crashing(level: "sandbox")) }
        + [
            Self(name: "go", id: "peer-datasource", kind: .go),
            Self(name: "python", id: "grafana-filespython-datasource", kind: .python),
        ]

    /// Those that run, or end, in processes of their own from the start, and obey the modes of `crashing.c`.
    static let breakable = all.filter { plugin in
        if case .crashing(let level) = plugin.kind { return level != "in-process" }
        return false
    }

    /// Those with a process that may be killed at any time.
    static let killable = all.filter { plugin in
        if case .crashing(let level) = plugin.kind { return level != "in-process" }
        return true
    }

    var settings: [String] {
        guard case .crashing(let level) = kind else { return [] }
        return ["plugin.\(id).isolation=\(level)"]
    }

    func folder(_ home: GrafanaHome) -> URL { home.plugins.appending(path: name) }

    func install(_ home: GrafanaHome) async throws {
        switch kind {
        case .crashing: try await CrashingPlugin(id: id).build(into: folder(home))
        case .go:
            let peers = repositoryRoot.appending(path: ".build/peers")
            let script = repositoryRoot.appending(path: "Tests/Peers/go-plugin/build.sh").path
            let (status, output) = try await Tool.run("sh", [script, peers.path], seconds: 600)
            guard status == 0 else { throw RealServerError(output) }
            try FileManager.default.createDirectory(at: folder(home), withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                at: peers.appending(path: "go-plugin-peer"), to: folder(home).appending(path: "peer_linux_amd64"))
            let json = #"{"id": "\#(id)", "type": "datasource", "name": "Peer", "backend": true, "executable": "peer"}"#
            try json.write(to: folder(home).appending(path: "plugin.json"), atomically: true, encoding: .utf8)
        case .python:
            try FileManager.default.copyItem(
                at: repositoryRoot.appending(path: ".build/examples/files-python"), to: folder(home))
        }
    }

    func addSource(_ server: GrafanaServer, _ home: GrafanaHome) throws {
        try server.addDataSource(
            name, type: id,
            ["jsonData": ["folder": .string(home.folder.path)], "secureJsonData": ["apiKey": "secret"]])
    }

    /// One request that it answers when nothing is wrong with it.
    var question: [UInt8] {
        switch kind {
        case .crashing:
            GrafanaServer.request("POST", "/api/ds/query", GrafanaServer.query(name, ["try": "nothing"]))
        case .go, .python: GrafanaServer.request("GET", "/api/datasources/uid/\(name)/health")
        }
    }
}

/// How the answers to one kind of request turned out.
struct ChaosTally: Sendable {
    var good = 0
    /// Answers that say what went wrong, by their status.
    var errors: [Int: Int] = [:]
    /// The slowest error of each status, in the server's words.
    var words: [Int: (time: Duration, text: String)] = [:]
    /// Connections that ended without an answer.
    var lost = 0
    /// Answers that are neither a result nor an error with words.
    var strange: [String] = []
    var slowest = Duration.zero
    /// Whose answer the slowest was.
    var slowestPlugin = ""

    var total: Int { good + errors.values.reduce(0, +) + lost + strange.count }

    mutating func add(_ answer: HTTPAnswer?, of plugin: ChaosPlugin, after time: Duration) {
        if time > slowest { (slowest, slowestPlugin) = (time, plugin.name) }
        guard let answer else {
            lost += 1
            return
        }
        if answer.status == 200, answer.queryError == nil { return good += 1 }
        let text = answer.queryError ?? answer.message
        if text.isEmpty { return strange.append("\(answer.status) \(answer.text.prefix(200))") }
        errors[answer.status, default: 0] += 1
        if time > words[answer.status]?.time ?? .zero { words[answer.status] = (time, text) }
    }

    static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.good += right.good
        sum.errors.merge(right.errors) { $0 + $1 }
        sum.words.merge(right.words) { $0.time > $1.time ? $0 : $1 }
        sum.lost += right.lost
        sum.strange += right.strange
        if right.slowest > left.slowest { (sum.slowest, sum.slowestPlugin) = (right.slowest, right.slowestPlugin) }
        return sum
    }
}

/// What a process holds, to be compared before and after.
struct ProcessHoldings: CustomStringConvertible {
    var descriptors: Int
    var memoryFiles: Int
    /// How many of them have a name.
    var memoryFileNames: [String: Int]
    var threads: Int
    var residentBytes: Int
    /// Its children that run, and those that nobody waited for.
    var children: Int
    var zombies: Int

    init(_ process: Int32) {
        let facts = ProcessFacts(pid: process)
        descriptors = facts.descriptorCount
        threads = facts.threadCount
        residentBytes = facts.residentBytes
        let folder = "/proc/\(process)/fd"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let files = names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
            .filter { $0.hasPrefix("/memfd:") }
        memoryFiles = files.count
        memoryFileNames = Dictionary(grouping: files) { $0 }.mapValues(\.count)
        let all = ProcessState.children(of: process)
        children = all.count { ProcessState.isRunning($0) }
        zombies = all.count - children
    }

    var description: String {
        let names = memoryFileNames.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        return "\(descriptors) descriptors (\(memoryFiles) memory files: \(names)), \(threads) threads, "
            + "\(residentBytes >> 20) MiB, \(children) children, \(zombies) zombies"
    }
}
