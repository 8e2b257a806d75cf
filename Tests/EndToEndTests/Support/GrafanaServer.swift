// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport

/// A running server; its program is killed when the value goes.
struct GrafanaServer: Sendable {
    let program: LeashedProgram
    let port: Int

    static let administrator = "admin:admin"

    /// What the server wrote to its log.
    var log: String { program.output }

    /// The bytes of a request with basic authentication.
    static func request(
        _ method: String, _ path: String, _ body: JSONValue? = nil, headers: [String: String] = [:],
        user: String? = administrator
    ) -> [UInt8] {
        var headers = headers
        if let user { headers["Authorization"] = "Basic " + Data(user.utf8).base64EncodedString() }
        if body != nil { headers["Content-Type"] = "application/json" }
        return LoopbackConnection.request(method, path, headers: headers, body: body.map { Array($0.encoded().utf8) })
    }

    /// One exchange on a connection of its own.
    func send(
        _ method: String, _ path: String, _ body: JSONValue? = nil, headers: [String: String] = [:],
        user: String? = administrator
    ) throws -> HTTPAnswer {
        let request = Self.request(method, path, body, headers: headers, user: user)
        return try LoopbackConnection(port: port).exchange(request)
    }

    func get(_ path: String, headers: [String: String] = [:], user: String? = administrator) throws -> HTTPAnswer {
        try send("GET", path, headers: headers, user: user)
    }

    /// The body of `POST /api/ds/query` for one query of a data source.
    static func query(
        _ uid: String, _ query: JSONObject, from: String = "now-5m", to: String = "now"
    ) -> JSONValue {
        var query = query
        query["refId"] = "A"
        query["datasource"] = ["uid": .string(uid)]
        return ["from": .string(from), "to": .string(to), "queries": [.object(query)]]
    }

    func query(
        _ uid: String, _ query: JSONObject, from: String = "now-5m", to: String = "now"
    ) throws -> HTTPAnswer {
        try send("POST", "/api/ds/query", Self.query(uid, query, from: from, to: to))
    }

    @discardableResult
    func addDataSource(_ uid: String, type: String, _ more: JSONObject = [:]) throws -> HTTPAnswer {
        var body: JSONObject = ["name": .string(uid), "uid": .string(uid), "type": .string(type), "access": "proxy"]
        for (key, value) in more { body[key] = value }
        let answer = try send("POST", "/api/datasources", .object(body))
        guard answer.status == 200 else { throw RealServerError("data source \(uid): \(answer.text)") }
        return answer
    }

    /// The number of a plugin's `status`, such as `callsRunning`.
    func pluginNumber(_ key: String, of id: String) throws -> Int? {
        try get("/api/plugins").json.array?.first { $0["id"]?.string == id }?["status"]?[key]?.int
    }

    /// A number of `/metrics`.
    func metric(_ name: String) throws -> Double? {
        let lines = try get("/metrics").text.split(separator: "\n")
        return lines.first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// - Returns: The exit code.
    func stop() async throws -> Int32 {
        program.signal(SIGTERM)
        return try await program.exitStatus()
    }
}

extension HTTPAnswer {
    /// The body as JSON; null when it is none.
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    var message: String { json["message"]?.string ?? "" }

    /// The frames of query A.
    var frames: [JSONValue] { json["results"]?["A"]?["frames"]?.array ?? [] }
    /// What went wrong with query A.
    var queryError: String? { json["results"]?["A"]?["error"]?.string }
}

extension JSONValue {
    /// Of a frame: the values of a field.
    func values(_ field: Int) -> [JSONValue] { self["data"]?["values"]?[field]?.array ?? [] }
}

/// What the kernel says of a process.
struct ProcessFacts {
    let pid: pid_t

    /// Open file descriptors.
    var descriptorCount: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0
    }

    /// Bytes in memory now.
    var residentBytes: Int { kibibytes("VmRSS") * 1024 }
    var threadCount: Int { kibibytes("Threads") }

    private func kibibytes(_ key: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
        return line.flatMap { $0.firstMatch(of: /[0-9]+/) }.flatMap { Int($0.0) } ?? 0
    }
}
