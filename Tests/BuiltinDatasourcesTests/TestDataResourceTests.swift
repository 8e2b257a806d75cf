// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct TestDataResourceTests {
    private let now = Timestamp(milliseconds: ScenarioRun.start)
    private let resources = TestDataResources(simulations: SimulationStore())

    private func answer(_ call: TestDataResources.Call) throws -> TestDataResources.Answer {
        try resources.answer(call, now: now)
    }

    @Test func scenariosAreListed() throws {
        guard case .json(200, let json) = try answer(.init(path: "scenarios")) else {
            Issue.record("no list")
            return
        }

        let ids = (json.array ?? []).compactMap { $0["id"]?.string }
        #expect(ids == ids.sorted())
        #expect(ids.contains("random_walk") && ids.contains("all_field_types") && ids.contains("node_graph"))
        #expect(!ids.contains("manual_entry") && !ids.contains("variables-query"))
        #expect(json[0]?.object?.keys == ["id", "name", "description", "stringInput"])
    }

    @Test func greeting() throws {
        #expect(try answer(.init(path: "")) == .text(200, "Hello world from test datasource!"))
        #expect(try answer(.init(path: "nowhere")) == .text(404, "404 page not found"))
    }

    @Test func requestIsEchoed() throws {
        let call = TestDataResources.Call(
            method: "POST", path: "test/json", query: "a=1", headers: ["X-A": "1", "X-B": "2"],
            body: Array(#"{"k":[1]}"#.utf8))

        guard case .json(200, let json) = try answer(call) else {
            Issue.record("no echo")
            return
        }

        let request = json["request"]
        #expect(request?["method"] == "POST")
        #expect(request?["url"] == "/test/json?a=1")
        #expect(request?["headers"]?["X-A"] == ["1"])
        #expect(request?["body"] == ["k": [1]])
    }

    @Test func boomFailsWithoutACrash() {
        #expect(throws: PluginError.self) { try answer(.init(path: "boom")) }
    }

    @Test func simulationIsReadAndSet() throws {
        let body = Array(#"{"amplitude":4,"unknown":1,"period":"x"}"#.utf8)

        let set = try answer(.init(method: "POST", path: "sim/sine/2hz", body: body))
        let read = try answer(.init(path: "sim/sine/2hz"))
        let other = try answer(.init(path: "sim/sine/3hz"))

        guard case .json(200, let json) = set, case .json(200, let otherJSON) = other else {
            Issue.record("no state")
            return
        }
        #expect(set == read)
        #expect(json["config"] == ["amplitude": 4, "offset": 0, "period": 10, "phase": 0])
        #expect(json["key"] == ["type": "sine", "tick": 2, "uid": ""])
        #expect(otherJSON["config"]?["amplitude"] == 1)
        #expect(try answer(.init(path: "sim/rocket")) == .text(400, "unknown simulation type: rocket"))
    }

    @Test func changedSimulationsAreBounded() throws {
        let body = Array(#"{"period":1}"#.utf8)

        for number in 0..<200 {
            _ = try answer(.init(method: "POST", path: "sim/sine/1hz/\(number)", body: body))
        }
        let last = try answer(.init(method: "POST", path: "sim/sine/1hz/200", body: body))

        #expect(last == .text(400, "more than 200 simulations have settings; use the uid of an older one"))
    }

    @Test(arguments: [
        ("POST", "", 405, "only supports get"), ("GET", "count=x", 400, "invalid count value"),
        ("GET", "count=-1", 400, "invalid count value"), ("GET", "start=1.5", 400, "invalid start value"),
        ("GET", "start=9223372036854775807&count=2", 400, "invalid start value"),
        ("GET", "flush=101", 400, "invalid flush value"), ("GET", "sleep=1", 400, "invalid sleep value"),
        ("GET", "format=xml", 400, "invalid format value"),
    ])
    func impossibleStreamIsRefused(method: String, query: String, status: Int, message: String) {
        #expect(throws: ResourceLines.Refusal(status: status, message: message)) {
            try ResourceLines(method: method, query: query)
        }
    }

    @Test(arguments: [
        ("", "Message #1\n"),
        ("start=5&format=json", "{\"message\":5,\"value\":0.5,\"time\":1767225600000}\n"),
        ("format=influx", "testdata value=0.5 1767225600000000000\n"),
    ])
    func lineOfEachFormat(query: String, line: String) throws {
        let lines = try ResourceLines(method: "GET", query: query)

        #expect(String(decoding: lines.line(0, value: 0.5, at: now), as: UTF8.self) == line)
    }

    @Test func queryStringIsDecoded() {
        #expect(
            ResourceLines.values("a=1%2B1&b=x+y&c&a=2&d=%4&e=%zz") == [
                "a": "1+1", "b": "x y", "c": "", "d": "%4", "e": "%zz",
            ])
    }
}

struct TestDataChannelTests {
    private let now = Timestamp(milliseconds: ScenarioRun.start)
    private let simulations = SimulationStore()

    @Test(arguments: [
        ("random-2s-stream", Duration.seconds(2)), ("random-flakey-stream", .milliseconds(100)),
        ("random-20Hz-stream", .milliseconds(50)), ("random-20Hz-stream-7", .milliseconds(50)),
    ])
    func walkBeginsWithItsSchema(path: String, period: Duration) throws {
        let channel = try TestDataChannel(path: path)

        let frame = try #require(channel.initialFrame(at: now, simulations: simulations))

        #expect(channel.period == period)
        #expect(frame.name == "testdata")
        #expect(frame.fields.map(\.name) == ["Time", "Value", "Min", "Max"])
        #expect(frame.rowCount == 0)
    }

    @Test func walkSendsOneRowATick() throws {
        var channel = try TestDataChannel(path: "random-2s-stream", seed: 1)

        let frames = (0..<10).compactMap { _ in channel.next(at: now, simulations: simulations) }

        #expect(frames.map(\.rowCount) == [Int](repeating: 1, count: 10))
        #expect(
            frames.allSatisfy { frame in
                let values = frame.fields.dropFirst().map { $0.doubles[0] ?? .nan }
                return values[1] <= values[0] && values[0] <= values[2]
            })
    }

    @Test func flakeyStreamDropsThreeOfFour() throws {
        var channel = try TestDataChannel(path: "random-flakey-stream", seed: 1)

        let frames = (0..<1000).compactMap { _ in channel.next(at: now, simulations: simulations) }

        #expect((200...300).contains(frames.count))
    }

    @Test func labeledStreamSendsTwoRows() throws {
        var channel = try TestDataChannel(path: "random-labeled-stream", seed: 1)

        let frame = try #require(
            (0..<20).lazy.compactMap { _ in channel.next(at: now, simulations: simulations) }.first)

        #expect(frame.name == "labeled")
        #expect(frame.fields.map(\.name) == ["labels", "Time", "Value"])
        #expect(frame.rowCount == 2)
        #expect(frame.fields[0].texts[0]?.hasPrefix("s=A,s=p") == true)
        #expect(channel.initialFrame(at: now, simulations: simulations) == nil)
    }

    @Test func simulationFollowsItsSettings() throws {
        let key = try SimulationKey(path: "sine/0.5hz")
        try simulations.setConfig(["amplitude": 0, "offset": 3], for: key)

        var channel = try TestDataChannel(path: "sim/sine/0.5hz")

        #expect(channel.period == .seconds(2))
        #expect(channel.initialFrame(at: now, simulations: simulations)?.fields[1].doubles == [3])
        #expect(channel.next(at: now, simulations: simulations)?.rowCount == 1)
    }

    @Test func unknownPathIsRefused() {
        let error = #expect(throws: PluginError.self) { try TestDataChannel(path: "x") }

        #expect(error?.message == "testdata plugin does not support path: x")
        #expect(throws: PluginError.self) { try TestDataChannel(path: "sim/sine/fast") }
    }
}

struct TestDataPluginTests {
    @Test func descriptorIsJSON() throws {
        let json = try JSONValue(parsing: Array(TestDataPlugin.descriptorJSON.utf8))

        #expect(json["id"] == "grafana-testdata-datasource")
        #expect(json["aliasIDs"] == ["testdata"])
        for key in ["metrics", "logs", "alerting", "annotations", "backend"] { #expect(json[key] == true) }
    }
}
