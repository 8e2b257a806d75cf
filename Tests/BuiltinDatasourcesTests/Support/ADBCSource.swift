// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import TestSupport
import Testing

@testable import BuiltinDatasources

/// ADBC drivers of the tests: those of the Python environment, and bad ones.
enum ADBCTestDriver {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let environment = root.appending(path: ".build/test-venv")

    static func sqlite() throws -> String { try PackagedDriver.path("sqlite") }
    static func postgreSQL() throws -> String { try PackagedDriver.path("postgresql") }
    static func duckDB() -> String { environment.appending(path: "drivers/libadbc_driver_duckdb.so").path }

    /// The ways in which `Tests/Programs/adbc_driver.c` can start.
    enum Start: String, CaseIterable {
        case good = "START_GOOD"
        case missing = "START_MISSING"
        case unknown = "START_UNKNOWN"
        case old = "START_OLD"
        case fails = "START_FAILS"
        case empty = "START_EMPTY"
    }

    private static let compiled = Result { () -> URL in
        let folder = FileManager.default.temporaryDirectory.appending(path: "adbc-drivers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for start in Start.allCases {
            let compiler = Process()
            compiler.executableURL = URL(filePath: "/usr/bin/cc")
            compiler.arguments = [
                "-std=c11", "-D\(start.rawValue)", "-O1", "-fPIC", "-shared",
                root.appending(path: "Tests/Programs/adbc_driver.c").path, "-lpthread", "-o",
                folder.appending(path: "\(start.rawValue).so").path,
            ]
            try compiler.run()
            compiler.waitUntilExit()
            try #require(compiler.terminationStatus == 0, "cc does not compile adbc_driver.c")
        }
        atexit { ADBCTestDriver.removeCompiled() }
        return folder
    }

    private static func removeCompiled() {
        if case .success(let folder) = compiled { try? FileManager.default.removeItem(at: folder) }
    }

    /// The driver of the tests, compiled once a test run.
    static func test(_ start: Start) throws -> String {
        try compiled.get().appending(path: "\(start.rawValue).so").path
    }

    /// All of them, as the operator lists them.
    static func list() throws -> String {
        let tests = try Start.allCases.map { "\($0.rawValue)=\(try test($0))" }
        let entries = [
            "sqlite=\(try sqlite())", "postgresql=\(try postgreSQL())", "duckdb=\(duckDB())",
            "absent=/no/such/driver.so", "named=\(try test(.good))#AdbcDriverInit",
            "misnamed=\(try test(.good))#NoSuchEntry",
        ]
        return (entries + tests).joined(separator: ", ")
    }
}

/// ADBC data sources, in this process or in one of their own.
enum ADBCSource {
    static let plugin = BuiltinPlugin(descriptorJSON: ADBCPlugin.descriptorJSON, entry: { adbc_entry($0) })
    static let id = "gf-adbc-datasource"

    /// Runs the body with a data source that is linked in, so that its code is measured and sanitized.
    static func use<Result>(
        _ driver: String, _ jsonData: JSONObject = [:], url: String = "", secrets: [String: String] = [:],
        listed: String? = nil, _ body: (SQLSource) async throws -> Result
    ) async throws -> Result {
        var settings: JSONObject = ["driver": .string(driver)]
        for (key, value) in jsonData { settings[key] = value }
        let configuration = PlatformConfiguration(
            serverVersion: "12.4.0", pluginSettings: [id: ["drivers": try listed ?? ADBCTestDriver.list()]])
        return try await SQLSource.use(
            plugin, id, jsonData: .object(settings), url: url, secrets: secrets, configuration: configuration, body)
    }

    static func table(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "table"] }
    static func series(_ sql: String) -> JSONObject { ["rawSql": .string(sql), "format": "time_series"] }
}
