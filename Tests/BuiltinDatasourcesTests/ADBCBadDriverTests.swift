// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import Testing

@testable import BuiltinDatasources

/// The ADBC data source with drivers that are not there, do not start, lie or fail: `Tests/Programs/adbc_driver.c`.
struct ADBCBadDriverTests {
    private func select(_ what: String) -> JSONObject { ADBCSource.table("SELECT \(what)") }

    /// The failure of a query of a driver; a data source whose settings are refused fails as a whole.
    private func failure(
        of driver: String, _ what: String = "1", _ jsonData: JSONObject = [:], secrets: [String: String] = [:],
        listed: String? = nil
    ) async throws -> PluginError? {
        try await ADBCSource.use(driver, jsonData, secrets: secrets, listed: listed) { source async throws in
            do {
                return try await source.query(select(what)).error
            } catch let error as PluginError {
                return error
            }
        }
    }

    // MARK: Which drivers are loaded

    @Test(arguments: [
        ("/usr/lib/libadbc_driver_sqlite.so", "is not among those that the server lists"),
        ("../sqlite", "is not among those that the server lists"), ("", "the setting driver is empty"),
    ])
    func onlyListedNamesAreLoaded(name: String, text: String) async throws {
        let error = try await failure(of: name)

        #expect(error?.message.contains(text) == true, "\(String(describing: error))")
    }

    @Test func nothingIsLoadedWithoutAList() async throws {
        let error = try await failure(of: "sqlite", listed: "")

        #expect(error?.message.contains("the server lists no ADBC drivers") == true)
        #expect(error?.message.contains("[plugin.gf-adbc-datasource] drivers") == true)
    }

    @Test(arguments: ["sqlite", "sqlite=", "=/a.so", "sqlite=relative.so", "a=/x.so#", "a=/x.so, a=/y.so"])
    func badListIsTold(list: String) async throws {
        let error = try await failure(of: "sqlite", listed: list)

        #expect(error?.message.contains("[plugin.gf-adbc-datasource] drivers") == true)
    }

    @Test(arguments: [
        ("databaseOptions", "adbc.sqlite.load_extension.path"),
        ("connectionOptions", "adbc.sqlite.load_extension.enabled"),
        ("statementOptions", "driver"), ("databaseOptions", "entrypoint"),
    ])
    func optionsThatLoadCodeAreRefused(key: String, name: String) async throws {
        let error = try await failure(of: "sqlite", "1", [key: [name: "/tmp/evil.so"]])

        #expect(error?.message.contains("\"\(name)\" is not allowed") == true)
    }

    // MARK: Starting

    @Test(arguments: [
        ("absent", PluginError.Code.io, "could not be loaded"),
        (
            "START_MISSING", .unsupported,
            "is no ADBC driver: it exports none of AdbcSTARTMISSINGInit, AdbcDriverInit"
        ),
        ("misnamed", .unsupported, "exports none of NoSuchEntry"),
        ("START_UNKNOWN", .unsupported, "has neither version 1.1.0 nor 1.0.0 of ADBC: only version 9.9.9"),
        ("START_FAILS", .downstream, "starting the ADBC driver \"START_FAILS\" failed: no licence"),
        ("START_EMPTY", .unsupported, "lacks the functions DatabaseNew, DatabaseInit, DatabaseRelease, ConnectionNew"),
    ])
    func driversThatDoNotStartSayWhy(driver: String, code: PluginError.Code, text: String) async throws {
        let error = try await failure(of: driver)

        #expect(error?.code == code)
        #expect(error?.message.contains(text) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["START_GOOD", "START_OLD", "named"])
    func driversOfBothVersionsAnswer(driver: String) async throws {
        try await ADBCSource.use(driver) { source async throws in
            let answer = try await source.query(select("1"))

            #expect(answer.error == nil)
            #expect(answer.column("x") == "[1]")
        }
    }

    // MARK: Errors

    @Test func newErrorsHaveStateAndDetails() async throws {
        let error = try await failure(
            of: "START_GOOD", "error", ["secretOptions": ["token"]], secrets: ["token": "s3cret-token"])

        #expect(error?.code == .invalid)
        #expect(error?.message == "db query error: syntax error, token ***")
        let details = try JSONValue(parsing: Array((error?.details?.text ?? "").utf8))
        #expect(
            details
                == [
                    "adbcStatus": "INVALID_ARGUMENT", "sqlState": "42601",
                    "details": ["position": "42", "hint": "ask ***"],
                ])
    }

    @Test func oldErrorsHaveTheVendorsCode() async throws {
        let error = try await failure(of: "START_OLD", "error")

        let details = try JSONValue(parsing: Array((error?.details?.text ?? "").utf8))
        #expect(details == ["adbcStatus": "INVALID_ARGUMENT", "sqlState": "42601", "vendorCode": 17])
    }

    @Test(arguments: [
        ("START_GOOD", "unknown status", "the driver gives no reason"),
        ("START_GOOD", "nothing", "said that the statement succeeded and gave no result"),
        ("START_GOOD", "no schema", "there is no schema today"), ("START_OLD", "broken", "the disk is gone"),
        ("START_GOOD", "broken", "division by zero"),
    ])
    func failuresOfStreamsAreTold(driver: String, what: String, text: String) async throws {
        let error = try await failure(of: driver, what)

        #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        #expect(error?.source == .downstream)
    }

    @Test func refusedOptionNamesItselfAndHidesTheSecret() async throws {
        let error = try await failure(
            of: "START_GOOD", "1", ["secretOptions": ["refused"]], secrets: ["refused": "s3cret"])

        #expect(error?.message == "setting the database option refused failed: bad value ***")
    }

    @Test func connectionIsUsedAgainAfterAnError() async throws {
        try await ADBCSource.use("START_GOOD", ["maxOpenConns": 1]) { source async throws in
            let wrong = try await source.query(select("error"))
            let right = try await source.query(select("1"))

            #expect(wrong.error != nil)
            #expect(right.column("x") == "[1]")
        }
    }

    // MARK: Arrays

    @Test(arguments: [
        ("view", "string", #"["hello",null,"a text of 18 bytes"]"#), ("large", "string", #"["a",null,"é"]"#),
        ("half", "float32", "[1,null,-2.5]"), ("decimal256", "float64", "[-123.45,null,6.277101735386681e+55]"),
        ("decimal32", "float64", "[1.5,null,-1.5]"), ("dictionary", "string", #"["",null,"a"]"#),
        ("runs", "int32", "[7,7,8]"), ("fixed", "json.RawMessage", "[[7,8],null,[11,12]]"),
        ("listview", "json.RawMessage", "[[11,12],null,[7]]"), ("largelist", "json.RawMessage", "[[7],null,[8,9]]"),
        ("union", "json.RawMessage", #"["",7,8]"#), ("months", "string", #"["P1Y2M",null,"P-1M"]"#),
        ("daytime", "string", #"["P1DT1.5S",null,"P-1DT-0.5S"]"#),
        ("clock", "string", #"["00:00:00.000000001",null,"01:00:00.000000001"]"#),
        ("date", "time.Time", "[86400000,null,1]"), ("struct", "json.RawMessage", #"[{"n":7},null,{"n":9}]"#),
    ])
    func everyLayoutIsRead(column: String, type: String, values: String) async throws {
        try await ADBCSource.use("START_GOOD") { source async throws in
            let answer = try await source.query(select("layouts"))

            #expect(answer.error == nil)
            #expect(answer.type(column) == type)
            #expect(answer.column(column) == values)
        }
    }

    @Test(arguments: [
        "length", "negative length", "offset", "buffers", "missing buffer", "nulls", "falling offsets",
        "negative offset", "no text", "view", "index", "no dictionary", "runs", "list", "fixed list", "union place",
        "union type", "children", "type", "released",
    ])
    func liesAreFound(lie: String) async throws {
        let error = try await failure(of: "START_GOOD", "lie about \(lie)")

        #expect([.badData, .unsupported].contains(error?.code), "\(String(describing: error))")
        #expect(error?.source == .downstream)
    }

    // MARK: Cancelling

    @Test func slowStatementIsCancelled() async throws {
        try await ADBCSource.use("START_GOOD", ["maxOpenConns": 1]) { source async throws in
            let task = Task { try await source.query(select("slow")) }
            let endless = Task { try await source.query(select("endless")) }
            task.cancel()
            endless.cancel()
            _ = try? await task.value
            _ = try? await endless.value

            let next = try await source.query(select("1"))

            #expect(next.column("x") == "[1]")
        }
    }
}
