// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import Commands

/// `grafana-cli query` against a running server.
@Suite(.serialized)
struct QueryProgramTests {
    private static let table = #"{"scenarioId":"csv_content","csvContent":"name,size\na,1.5\nb,2"}"#

    private func query(
        _ server: RunningServer, _ arguments: [String], password: String = "admin"
    ) throws -> Program.Outcome {
        try Program.run(
            ["query"] + arguments + ["--url", server.url, "--user", "admin"],
            environment: ["GRAFANA_PASSWORD": password])
    }

    @Test func eachFormatShowsTheSameAnswer() throws {
        let server = try RunningServer()
        defer { server.stop() }

        let table = try query(server, ["demo", Self.table])
        let csv = try query(server, ["Demo", Self.table, "--format", "csv"])
        let json = try query(server, ["demo", Self.table, "--format", "json"])
        let noChart = try query(server, ["demo", Self.table, "--format", "chart"])
        let chart = try query(
            server,
            ["demo", "random_walk", "--format", "chart", "--from", "1700000000000", "--to", "1700000600000"])

        #expect(table.status == 0)
        #expect(table.output.split(separator: "\n").first?.hasPrefix("name") == true)
        #expect(csv.status == 0)
        #expect(csv.output.hasPrefix("name,size\r\n"))
        #expect(csv.output.hasSuffix("b,2\r\n"))
        #expect(json.status == 0)
        #expect(try JSONValue(parsing: json.output).array?.count == 1)
        #expect(noChart.status == 65)
        #expect(noChart.errors.contains("show it with --format table"))
        #expect(chart.status == 0)
        #expect(chart.output.contains("┤"))
        #expect(chart.output.contains("2023-11-14T22:1"))
    }

    @Test func failuresHaveTheirCodes() throws {
        let server = try RunningServer()
        defer { server.stop() }

        let unknown = try query(server, ["nothing", "up"])
        let wrong = try query(server, ["demo", "random_walk"], password: "wrong")
        let nobody = try Program.run(["query", "demo", "random_walk", "--url", server.url])
        let failing = try query(server, ["demo", #"{"scenarioId":"server_error_500"}"#])
        let range = try query(server, ["demo", "random_walk", "--from", "yesterday"])

        #expect(unknown.status == 65)
        #expect(unknown.errors.contains("there are 'Demo'"))
        #expect(wrong.status == 77)
        #expect(nobody.status == 77)
        #expect(nobody.errors.contains("GRAFANA_TOKEN"))
        #expect(failing.status == 65)
        #expect(range.status == 65)
        for outcome in [unknown, wrong, nobody, failing, range] { #expect(outcome.output.isEmpty) }
    }

    @Test func aLongTableIsCutWithANotice() throws {
        let server = try RunningServer()
        defer { server.stop() }

        let cut = try query(server, ["demo", "random_walk", "--max-data-points", "500"])
        let all = try query(server, ["demo", "random_walk", "--max-data-points", "500", "--all"])

        #expect(cut.output.split(separator: "\n").count == 102)
        #expect(cut.errors.contains("rows are not shown; --all shows them"))
        #expect(all.output.split(separator: "\n").count > 400)
        #expect(all.errors.isEmpty)
    }

    @Test func theDoctorKnowsTheRunningServer() throws {
        let server = try RunningServer()
        defer { server.stop() }

        let outcome = try Program.run([
            "doctor", "--homepath", server.home.path, "cfg:server.http_port=\(server.port)",
            "cfg:server.http_addr=127.0.0.1",
        ])

        #expect(outcome.output.contains("127.0.0.1:\(server.port): a server runs there (12.4.0, database ok)"))
        #expect(outcome.output.contains("is in use by a running server (pid "))
        #expect(!outcome.output.contains("error "))
    }
}
