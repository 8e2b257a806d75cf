// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import NIOCore
import PluginABI
import Testing

@testable import Server

struct TraceContextTests {
    @Test func aTraceIsContinued() {
        let trace = TraceContext(traceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

        #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(trace.isContinued && trace.isSampled)
        #expect(trace.traceParent.hasPrefix("00-0af7651916cd43dd8448eb211c80319c-"))
        #expect(!trace.traceParent.contains("b7ad6b7169203331"))
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
    ])
    func aMalformedHeaderBeginsATrace(header: String) {
        let trace = TraceContext(traceParent: header)

        #expect(!trace.isContinued)
        #expect(trace.traceID.count == 32 && trace.spanID.count == 16)
    }
}

struct RedactionTests {
    @Test(arguments: [
        ("/a?x=1", "/a?x=1"), ("/a?auth_token=abc&x=1", "/a?auth_token=redacted&x=1"),
        ("/a?API%5FKEY=abc", "/a?API%5FKEY=redacted"), ("/a?Password=&b", "/a?Password=redacted&b"), ("/a", "/a"),
    ])
    func secretParametersAreHidden(target: String, shown: String) {
        #expect(Redaction.target(target) == shown)
    }
}

struct EventStreamTextTests {
    @Test func lineEndsBecomeDataLines() {
        let text = EventStreamText.event("frame", id: 3, data: "a\nb\r\nc\rd".utf8)

        #expect(String(decoding: text, as: UTF8.self) == "id: 3\nevent: frame\ndata: a\ndata: b\ndata: c\ndata: d\n\n")
    }
}

struct HTMLTextTests {
    @Test func valuesAreEscapedAndMarkupIsNot() {
        let inner: HTMLText = "<i>\("<script>'\"&")</i>"
        let outer: HTMLText = "<p>\(inner)\(5)</p>"

        #expect(outer.markup == "<p><i>&lt;script&gt;&#39;&quot;&amp;</i>5</p>")
    }
}

struct CompressionTests {
    @Test(arguments: [
        ("gzip", true), ("deflate, gzip;q=0.5", true), ("gzip;q=0", false), ("gzip; q=0.0", false), ("br", false),
        ("", false), ("*", true), ("GZIP", true),
    ])
    func acceptEncodingIsRead(header: String, accepts: Bool) {
        #expect(Compression.acceptsGzip(header) == accepts)
    }
}

struct ProxyTargetTests {
    @Test(arguments: [
        ("http://h:9090", "api/v1/query", "a=1", "http://h:9090/api/v1/query?a=1"),
        ("http://h/prom/", "api", "", "http://h/prom/api"), ("http://h/prom", "", "", "http://h/prom"),
        ("h:9090", "x", "", "http://h:9090/x"), ("https://u:p@h/?k=v", "x%2Fy", "a=b", "https://h/x%2Fy?k=v&a=b"),
        ("http://h", "", "", "http://h/"),
    ])
    func baseAndPathAreJoined(base: String, path: String, query: String, url: String) throws {
        #expect(try ProxyTarget(base, path: path, query: query).url == url)
    }

    @Test func hostAndPortAreFound() throws {
        #expect(try ProxyTarget("https://[::1]/", path: "", query: "").port == 443)
        #expect(try ProxyTarget("https://[::1]:8443/", path: "", query: "").host == "::1")
        #expect(throws: APIError.self) { try ProxyTarget("ftp://h", path: "", query: "") }
        #expect(throws: APIError.self) { try ProxyTarget("", path: "", query: "") }
    }
}

struct HeaderRulesTests {
    @Test func connectionAndCredentialsStayBehind() {
        let fields: HTTPFields = [
            .connection: "close, X-Mine", .authorization: "Basic x", .cookie: "a=b", .accept: "text/plain",
            .transferEncoding: "chunked",
        ]
        var all = fields
        all.append(HTTPField(name: .init("X-Mine")!, value: "1"))

        #expect(HeaderRules.forwardable(all).map(\.name) == ["accept"])
    }
}

struct LivePathTests {
    @Test func namesAreChecked() {
        #expect(LivePath.isValid(uid: "a-b_c", path: "x/y=1.0"))
        #expect(!LivePath.isValid(uid: "a", path: ""))
        #expect(!LivePath.isValid(uid: "a", path: "x y"))
        #expect(!LivePath.isValid(uid: "a", path: String(repeating: "x", count: 160)))
    }
}

struct QueryRequestTests {
    private func parse(_ text: String, limit: Int = 100) throws -> QueryRequest {
        try QueryRequest(body: Array(text.utf8), now: 1_700_000_000_000, limit: limit)
    }

    @Test func defaultsAndRawTextAreKept() throws {
        let request = try parse(
            #"{"from":"1000","to":2000,"queries":[{ "datasource":{"uid":"a"}, "expr": "up\u0041" },{"refId":"B","hide":true},{"refId":"C","datasource":"name","timeRange":{"from":"now-1h","to":"now"},"intervalMs":15000,"maxDataPoints":7.0}]}"#
        )

        #expect(request.items.map(\.query.refID) == ["A", "C"])
        #expect(request.items[0].query.json.text == #"{ "datasource":{"uid":"a"}, "expr": "up\u0041" }"#)
        #expect(request.items[0].query.maxDataPoints == 100 && request.items[0].query.interval == .seconds(1))
        #expect(request.items[0].query.from == Timestamp(milliseconds: 1000))
        #expect(request.items[1].source == .name("name"))
        #expect(request.items[1].query.maxDataPoints == 7 && request.items[1].query.interval == .seconds(15))
        #expect(request.items[1].query.from == Timestamp(milliseconds: 1_699_996_400_000))
    }

    @Test(arguments: [
        ("", "bad request data"), ("[]", "bad request data"), ("{}", "No queries found"),
        (#"{"queries":[]}"#, "No queries found"), (#"{"queries":5}"#, "No queries found"),
        (#"{"queries":[5]}"#, "bad request data"),
        (#"{"from":"0","to":"1","queries":[{}]}"#, "Query A is missing datasource information"),
        (#"{"queries":[{"datasource":{"uid":"a"}}]}"#, "'from' and 'to' are needed"),
        (#"{"from":"x","to":"now","queries":[{"datasource":{"uid":"a"}}]}"#, "Bad time range of query A"),
        (#"{"from":"5","to":"1","queries":[{"datasource":{"uid":"a"}}]}"#, "it starts after it ends"),
        (#"{"from":-9e18,"to":"1","queries":[{"datasource":{"uid":"a"}}]}"#, "Bad time range"),
        (#"{"from":"-9223372036854775808","to":"1","queries":[{"datasource":{"uid":"a"}}]}"#, "beyond"),
        (#"{"from":"0","to":"1","queries":[{"datasource":"a"},{"refId":"A","datasource":"a"}]}"#, "same RefId"),
        (
            #"{"from":"0","to":"1","queries":[{"datasource":{"uid":"__expr__"}},{"refId":"B"}]}"#,
            "missing datasource uid in query with refId B"
        ),
        (
            #"{"queries":[{"datasource":{"uid":"__expr__"},"type":"math","expression":"1"}]}"#,
            "time range must be specified for refID A"
        ),
    ])
    func badRequestsSayWhatIsWrong(text: String, message: String) {
        do {
            _ = try parse(text)
            Issue.record("accepted: \(text)")
        } catch {
            #expect((error as? APIError)?.message.contains(message) == true, "\(error)")
            #expect((error as? APIError)?.status == .badRequest)
        }
    }

    @Test func tooManyQueriesAreRefused() {
        let queries = (0..<101).map { #"{"refId":"\#($0)","datasource":"a"}"# }.joined(separator: ",")

        #expect(throws: APIError.self) { try parse(#"{"from":"0","to":"1","queries":[\#(queries)]}"#) }
    }
}
