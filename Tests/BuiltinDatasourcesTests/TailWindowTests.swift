// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import BuiltinDatasources

struct TailWindowTests {
    private func key(_ nanoseconds: Int64, _ hash: UInt64 = 1) -> LogLineKey {
        LogLineKey(time: Timestamp(nanoseconds: nanoseconds), hash: hash)
    }

    private static let second: Int64 = 1_000_000_000

    @Test func linesAreNewOnce() {
        var window = TailWindow()

        let before = window.start
        // The same again, another of the same time, and one of another stream that comes late.
        let keys = [key(10 * Self.second), key(10 * Self.second), key(10 * Self.second, 2), key(8 * Self.second)]
        let areNew = keys.map { window.isNew($0) }

        #expect(before == nil)
        #expect(areNew == [true, false, true, true])
        #expect(window.newest == Timestamp(nanoseconds: 10 * Self.second))
        #expect(window.start == Timestamp(nanoseconds: 5 * Self.second))
    }

    /// What is asked for again is always recognized, however many lines come in how little time.
    @Test(arguments: [1, 1000, 10_000_000] as [Int64])
    func everyLineFromTheStartOnIsRecognized(distance: Int64) throws {
        var window = TailWindow()
        var lines: [LogLineKey] = []
        for number in 0..<250_000 {
            let line = key(Int64(number) * distance, UInt64(number))
            lines.append(line)
            _ = window.isNew(line)
        }

        let start = try #require(window.start)
        let again = lines.filter { $0.time >= start }
        let doubled = again.filter { window.isNew($0) }
        #expect(!again.isEmpty && doubled.isEmpty)
    }

    @Test func aLateLineIsFoundAfterAReconnect() throws {
        var window = TailWindow()
        _ = window.isNew(key(10 * Self.second))
        let late = key(7 * Self.second, 9)

        let start = try #require(window.start)
        let isNew = window.isNew(late)
        #expect(start <= late.time && isNew)
    }

    @Test func tokenCarriesTheWindow() throws {
        var window = TailWindow()
        for number in 0..<5000 { _ = window.isNew(key(Int64(number) * 1_000_000, UInt64(number))) }

        var restored = TailWindow(token: window.token)

        let start = try #require(restored.start)
        #expect(window.token.count < 200_000)
        #expect(restored.newest == window.newest)
        let sent = (0..<5000).map { key(Int64($0) * 1_000_000, UInt64($0)) }.filter { $0.time >= start }
        let doubled = sent.filter { restored.isNew($0) }
        let isNew = restored.isNew(key(5_000_000_001, 7))
        #expect(!sent.isEmpty && doubled.isEmpty && isNew)
    }

    @Test(arguments: ["", "x", "[]", "{}", #"{"newest":1,"floor":0,"seen":[[1],["a","b"],null]}"#])
    func otherTokensStartAnew(text: String) {
        var window = TailWindow(token: Array(text.utf8))

        let isNew = window.isNew(key(1))

        #expect(isNew)
    }

    @Test func keysDependOnTimeTextAndStream() throws {
        func keys(_ values: String, labels: String = #"{"a":"b"}"#) throws -> [LogLineKey] {
            let stream = #"{"stream":\#(labels),"values":[\#(values)]}"#
            let message = #"{"streams":[\#(stream)],"encodingFlags":["categorize-labels"]}"#
            return try Array(message.utf8).withUnsafeBufferPointer { try TailBatch(message: $0).keys }
        }
        let plain = try keys(#"["1","x"],["1","x",{"structuredMetadata":{"m":"1"}}],["1","y"],["2","x"]"#)

        #expect(plain[0] == plain[1], "metadata comes with the history only")
        #expect(Set(plain).count == 3)
        #expect(try keys(#"["1","x"]"#, labels: #"{"a":"c"}"#)[0] != plain[0])
    }

    @Test func droppedLinesAreCounted() throws {
        let message = #"{"streams":null,"dropped_entries":[{"timestamp":"1","labels":{"a":"b"}},{"timestamp":"2"}]}"#

        let batch = try Array(message.utf8).withUnsafeBufferPointer { try TailBatch(message: $0) }

        #expect(batch.droppedCount == 2 && batch.keys.isEmpty && !batch.isEmpty)
    }

    @Test(arguments: ["", "{", "[]", #"{"streams":{}}"#, #"{"streams":[{"stream":{},"values":[["x","y"]]}]}"#])
    func badMessageIsAnError(text: String) {
        #expect(throws: PluginError.self) {
            try Array(text.utf8).withUnsafeBufferPointer { try TailBatch(message: $0) }
        }
    }

    /// 16 MiB can ask for terabytes of repeated labels.
    @Test func aMessageThatSwellsIsRefused() {
        let labels = #"{"a":"\#(String(repeating: "x", count: 500_000))"}"#
        let values = Array(repeating: #"["1",""]"#, count: 1000).joined(separator: ",")
        let message = #"{"streams":[{"stream":\#(labels),"values":[\#(values)]}]}"#

        let error = #expect(throws: PluginError.self) {
            try Array(message.utf8).withUnsafeBufferPointer { try TailBatch(message: $0) }
        }

        #expect(error?.code == .limit)
    }
}
