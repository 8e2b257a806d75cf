// SPDX-License-Identifier: Apache-2.0
import Foundation
import GoPlugin
import PluginABI
import PluginHost
import Testing

@testable import PluginServing

/// The parts of serving that need no program.
struct PartTests {
    @Test func theSourceThatNobodyAskedForLongestMakesRoom() {
        let book = InstanceBook(limit: 2)
        #expect(book.used(orgID: 1, uid: "a") == nil)
        #expect(book.used(orgID: 1, uid: "b") == nil)
        #expect(book.used(orgID: 1, uid: "a") == nil)
        #expect(book.used(orgID: 2, uid: "a") == .init(orgID: 1, uid: "b"))
    }

    @Test func keysAreExchangedByVersion() throws {
        let store = MemoryKeyValues()
        #expect(try store.put(scope: "s", key: "k", value: [1], version: 0) == 1)
        #expect(try store.put(scope: "s", key: "k", value: [2, 3], version: 1) == 2)
        #expect(throws: PluginError.self) { try store.put(scope: "s", key: "k", value: [4], version: 1) }
        #expect(try store.put(scope: "s", key: "kk", value: [5], version: nil) == 1)
        #expect(store.get(scope: "s", key: "k")?.value == [2, 3])
        #expect(store.get(scope: "t", key: "k") == nil)
        #expect(store.keys(scope: "s", prefix: "k") == ["k", "kk"])
        #expect(store.totalBytes(scope: "s") == 6)
        store.remove(scope: "s", key: "k")
        #expect(store.keys(scope: "s", prefix: "") == ["kk"])
    }

    @Test func headersLoseTheirPrefix() {
        let headers = RequestContext.headers([
            "http_X-Grafana-User": "ada", "Authorization": "Bearer x", "FromAlert": "true", "Cookie": "a=b",
        ])
        #expect(
            headers == ["x-grafana-user": "ada", "authorization": "Bearer x", "fromalert": "true", "cookie": "a=b"])
    }

    @Test func remarksTravelWithFrames() throws {
        var query = Pluginv2_DataQuery()
        query.refID = "A"
        var other = Pluginv2_DataQuery()
        other.refID = "B"
        let frame = DataFrame(name: "n", refID: "A", fields: [Field("v", [1.0])])
        let events: [CallEvent] = [
            .frame(number: 3, frame), .rows(number: 3, DataFrame(refID: "A", fields: [Field("v", [2.0])])),
            .notice(Notice(text: "slow"), refID: "A"), .notice(Notice(text: "all"), refID: ""),
            .failed(PluginError(.invalid, "wrong"), refID: "B"), .completed(nil),
        ]

        var answers = QueryAnswers(try QueryList([query, other]))
        for event in events { answers.take(event) }
        let message = answers.message(asJSON: false)
        let sent = try DataFrame(arrow: Array(#require(message.responses["A"]?.frames.first)))
        #expect(sent.rowCount == 2)
        #expect(sent.meta?.notices.map(\.text) == ["slow", "all"])
        #expect(message.responses["B"]?.status == 400)
        #expect(message.responses["B"]?.error == "wrong")

        var chunks = QueryChunks(try QueryList([query, other]), asJSON: true)
        let messages = events.flatMap { chunks.messages(for: $0) }
        #expect(messages.map(\.refID) == ["A", "A", "B", "A", "B"])
        #expect(messages.map(\.error) == ["", "", "wrong", "", ""])
        let kinds = try messages.filter { !$0.frame.isEmpty }.map {
            try JSONValue(parsing: Array($0.frame)).object?.keys ?? []
        }
        #expect(kinds == [["schema", "data"], ["data"], ["schema", "data"], ["schema", "data"]])
    }

    @Test func aWholeFailureIsThatOfEachQuery() throws {
        var query = Pluginv2_DataQuery()
        query.refID = "A"
        var other = Pluginv2_DataQuery()
        other.refID = "B"
        var answers = QueryAnswers(try QueryList([query, other]))
        answers.take(.failed(PluginError(.invalid, "own", source: .user), refID: "A"))
        answers.take(.completed(PluginError(.downstream, "whole", httpStatus: 503)))
        let message = answers.message(asJSON: false)
        #expect(message.responses["A"]?.error == "own" && message.responses["A"]?.errorSource == "plugin")
        #expect(message.responses["B"]?.error == "whole" && message.responses["B"]?.errorSource == "downstream")
        #expect(message.responses["B"]?.status == 503)
    }
}
