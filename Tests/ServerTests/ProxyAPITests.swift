// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOHTTP1
import PluginABI
import Storage
import Testing

@testable import Server

struct ProxyAPITests {
    private func add(_ server: TestServer, _ type: String = "loki", url: String, _ more: JSONObject = [:]) async throws
    {
        var body: JSONObject = ["name": .string(type), "type": .string(type), "uid": "up", "url": .string(url)]
        for (key, value) in more { body[key] = value }
        let answer = try await server.send(.POST, "/api/datasources", .object(body))
        #expect(answer.status == 200)
    }

    @Test func theRequestGoesOnWithTheSourcesCredentials() async throws {
        try await TestServer.run { server async throws in
            let upstream = try EchoServer()
            try await add(
                server, url: "http://127.0.0.1:\(upstream.port)/base/",
                [
                    "basicAuth": true, "basicAuthUser": "u", "jsonData": ["httpHeaderName1": "X-Scope"],
                    "secureJsonData": ["basicAuthPassword": "p", "httpHeaderValue1": "tenant"],
                ])
            let headers = [("cookie", "a=b"), ("origin", "http://o"), ("referer", "http://r"), ("x-mine", "1")]

            let answer = try await server.sendBytes(
                .POST, "/api/datasources/proxy/uid/up/loki/a%2Fb?q=1%202", Array("body!".utf8), headers: headers)

            #expect(answer.status == 200)
            let text = answer.text.lowercased()
            #expect(text.hasPrefix("post /base/loki/a%2fb?q=1%202 http/1.1"))
            #expect(text.contains("authorization: basic dtpw") && text.contains("x-scope: tenant"))
            #expect(text.contains("user-agent: grafana/12.4.0") && text.contains("x-forwarded-for: 127.0.0.1"))
            #expect(text.contains("x-mine: 1") && text.hasSuffix("body!"))
            for name in ["cookie:", "origin:", "referer:", "ywrtaw46ywrtaw4"] {
                #expect(!text.contains(name), "\(name)")
            }
            #expect(answer.headers["set-cookie"].isEmpty)
        }
    }

    @Test func failuresHaveTheirOwnStatus() async throws {
        try await TestServer.run { server async throws in
            let upstream = try EchoServer(status: "401 Unauthorized")
            try await add(server, url: "http://127.0.0.1:\(upstream.port)")

            let refused = try await server.get("/api/datasources/proxy/uid/up/x")
            let climbing = try await server.get("/api/datasources/proxy/uid/up/a/%2e%2e/b")

            #expect(refused.status == 400 && refused.message == "Authentication to data source failed")
            #expect(climbing.status == 400)
            #expect(try await server.get("/api/datasources/proxy/uid/nope/x").message == "Data source not found")
        }
        try await TestServer.run { server async throws in
            try await add(server, url: "http://127.0.0.1:1")
            let down = try await server.get("/api/datasources/proxy/uid/up/x")
            #expect(down.status == 502 && down.message == "Bad Gateway")
        }
    }

    @Test func hostsThatAreNotListedAreRefused() async throws {
        try await TestServer.run(options: { $0.proxy.allowedHosts = ["example.com:80"] }) { server async throws in
            try await add(server, url: "http://127.0.0.1:1")

            #expect(try await server.get("/api/datasources/proxy/uid/up/x").status == 403)
        }
    }

    @Test func prometheusTakesOnlyItsQueriesByPost() async throws {
        try await TestServer.run { server async throws in
            let upstream = try EchoServer()
            try await add(server, "prometheus", url: "http://127.0.0.1:\(upstream.port)")
            let base = "/api/datasources/proxy/uid/up/"

            #expect(try await server.sendBytes(.POST, base + "api/v1/query", Array("query=up".utf8)).status == 200)
            #expect(try await server.sendBytes(.POST, base + "api/v1/admin/tsdb/delete_series", []).status == 403)
            #expect(try await server.send(.DELETE, base + "api/v1/query").status == 403)
            #expect(try await server.get(base + "api/v1/labels").status == 200)
        }
    }

    private static let lokiRoutes: [JSONValue] = [
        ["method": "GET", "path": "/loki/api/v1/rules", "reqRole": "Viewer"],
        ["method": "POST", "path": "/loki/api/v1/rules", "reqRole": "Editor"],
        ["method": "DELETE", "path": "/loki/api/v1/rules", "reqRole": "Editor"],
    ]

    private func check(_ method: RequestMethod, _ path: String, _ role: OrgRole, type: String = "loki") throws {
        let routes = type == "loki" ? Self.lokiRoutes : []
        try ProxyRules(options: ServerOptions.Proxy()).check(method, path, ofType: type, routes: routes, role: role)
    }

    /// However the path is written, a viewer does not change what the plugin keeps for editors.
    @Test(arguments: [
        "loki/api/v1/rules/ns", "loki/api/v1/%72ules/ns", "loki/api/v1//rules/ns", "loki//api/v1/rules/ns",
        "loki%2Fapi%2Fv1%2Frules%2Fns", "loki/api/v1/%2F/rules", "loki/api/v1/rules/%CC%81ns", "loki\\api\\v1\\rules",
    ])
    func rolesOfRoutesCannotBeWrittenAround(path: String) throws {
        for method in [RequestMethod.post, .delete] {
            #expect(throws: APIError.self, "\(method) \(path)") { try check(method, path, .viewer) }
            try check(method, path, .editor)
        }
        try check(.get, path, .viewer)
    }

    @Test(arguments: [RequestMethod.put, .patch, .delete])
    func changesThatNoRouteNamesNeedAnEditor(method: RequestMethod) throws {
        #expect(throws: APIError.self) { try check(method, "loki/api/v1/other", .viewer) }
        try check(method, "loki/api/v1/other", .editor)
        try check(.post, "loki/api/v1/query_range", .viewer)
    }

    @Test(arguments: ["../x", "a/%2e%2e/b", "a%2F..", "..%2Fx", "a%5C..%5Cb", "a/./b", "a/%", "%ff"])
    func pathsThatClimbAreRefused(path: String) {
        let error = #expect(throws: APIError.self) { try check(.get, path, .admin) }
        #expect(error?.status == .badRequest)
    }

    /// What is allowed by name is allowed by that name alone.
    @Test func prometheusAllowsWhatItNamesHoweverItIsWritten() throws {
        try check(.post, "api/v1//query", .viewer, type: "prometheus")
        #expect(throws: APIError.self) { try check(.post, "api/v1/query/%61dmin", .viewer, type: "prometheus") }
        #expect(throws: APIError.self) { try check(.post, "api/v1/admin/%71uery", .viewer, type: "prometheus") }
    }

    @Test func answersThatBrowsersMayKeepSaySo() async throws {
        try await TestServer.run { server async throws in
            let upstream = try EchoServer()
            try await add(server, url: "http://127.0.0.1:\(upstream.port)")
            let headers = [("x-grafana-cache", "private, max-age=60")]

            let answer = try await server.get("/api/datasources/proxy/uid/up/x", headers: headers)

            #expect(answer.headers.first(name: "x-grafana-cache") == "y")
            #expect(answer.headers.first(name: "cache-control") == "private, max-age=60")
        }
    }
}
