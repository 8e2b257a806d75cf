// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
import PluginABI
import PluginHost
import Storage
import Synchronization
import Testing

@testable import Server

struct DataSourceAPITests {
    private let prometheus: JSONValue = [
        "name": "Prom", "type": "testdata", "url": "http://localhost:9090", "access": "proxy", "isDefault": true,
        "jsonData": ["httpMethod": "POST"], "secureJsonData": ["basicAuthPassword": "hunter2"],
    ]

    @Test func aSourceIsMadeReadChangedAndDeleted() async throws {
        try await TestServer.run { server async throws in
            let made = try await server.send(.POST, "/api/datasources", prometheus)
            let uid = made.json["datasource"]?["uid"]?.string ?? ""
            let read = try await server.get("/api/datasources/uid/\(uid)")
            let id = read.json["id"]?.int ?? 0

            #expect(made.status == 200 && made.message == "Datasource added" && made.json["name"]?.string == "Prom")
            #expect(made.json["datasource"]?["type"]?.string == "grafana-testdata-datasource")
            #expect(read.json["secureJsonFields"] == ["basicAuthPassword": true])
            #expect(!read.text.contains("hunter2") && read.json["secureJsonData"] == nil)
            #expect(try await server.get("/api/datasources/name/Prom").json["id"]?.int == id)
            #expect(try await server.get("/api/datasources/\(id)/").json["uid"]?.string == uid)
            #expect(try await server.get("/api/datasources/id/Prom").json == ["id": .integer(Int64(id))])

            var changed = prometheus
            changed["name"] = "Prom 2"
            changed["secureJsonData"] = ["other": ""]
            changed["version"] = read.json["version"]
            let updated = try await server.send(.PUT, "/api/datasources/uid/\(uid)", changed)
            let stale = try await server.send(.PUT, "/api/datasources/\(id)", changed)

            #expect(updated.message == "Datasource updated" && updated.json["datasource"]?["version"]?.int == 2)
            #expect(updated.json["datasource"]?["secureJsonFields"] == ["basicAuthPassword": true, "other": true])
            #expect(stale.status == 409)

            let deleted = try await server.send(.DELETE, "/api/datasources/uid/\(uid)")
            #expect(deleted.json == ["message": "Data source deleted", "id": .integer(Int64(id))])
            let again = try await server.send(.DELETE, "/api/datasources/name/Prom%202")
            #expect(again.status == 404 && again.message == "Data source not found")
        }
    }

    @Test func theListIsSortedAndCached() async throws {
        try await TestServer.run { server async throws in
            for name in ["b", "a", "c"] {
                _ = try await server.send(
                    .POST, "/api/datasources", ["name": .string(name), "type": "prometheus", "uid": .string(name)])
            }

            let list = try await server.get("/api/datasources")
            let tag = list.headers.first(name: "etag") ?? ""
            let again = try await server.get("/api/datasources", headers: [("if-none-match", tag)])

            #expect(list.json.array?.map { $0["name"]?.string } == ["a", "b", "c"])
            #expect(list.json[0]?["secureJsonFields"] == nil && list.json[0]?["typeName"] != nil)
            #expect(again.status == 304 && again.body.isEmpty)
            #expect(try await server.get("/api/datasources/").status == 200)
        }
    }

    @Test func conflictsAndBadBodiesAreRefused() async throws {
        try await TestServer.run { server async throws in
            func add(_ body: JSONValue) async throws -> String {
                let answer = try await server.send(.POST, "/api/datasources", body)
                return "\(answer.status) \(answer.message)"
            }
            _ = try await add(["name": "a", "type": "x", "uid": "u"])

            #expect(try await add(["name": "a", "type": "x"]) == "409 data source with the same name already exists")
            #expect(
                try await add(["name": "b", "type": "x", "uid": "u"])
                    == "409 data source with the same uid already exists")
            #expect(try await add(["type": "x"]) == "400 bad request data")
            #expect(try await add(["name": "c"]) == "400 bad request data")
            #expect(try await add(["name": "c", "type": 5]) == "400 bad request data")
            #expect(try await add(["name": "c", "type": "x", "jsonData": []]) == "400 bad request data")
            #expect(try await add(["name": "c", "type": "x", "uid": "../x"]).hasPrefix("400 "))
            #expect(try await add(["name": "c", "type": "x", "access": "tunnel"]).hasPrefix("400 "))
            #expect(try await add(["name": "c", "type": "x", "url": "http://a b"]).hasPrefix("400 "))
            #expect(try await add([]) == "400 bad request data")
            #expect(try await server.get("/api/datasources/abc").message == "id is invalid")
        }
    }

    @Test func provisionedSourcesCannotBeChanged() async throws {
        try await TestServer.run { server async throws in
            _ = try await server.stores.dataSources.add(
                orgID: 1, DataSourceFields(name: "ro", type: "x"), uid: "ro", isReadOnly: true)

            let update = try await server.send(.PUT, "/api/datasources/uid/ro", ["name": "ro", "type": "x"])
            let delete = try await server.send(.DELETE, "/api/datasources/uid/ro")

            #expect(update.status == 403 && delete.status == 403)
        }
    }

    @Test func onlyAdministratorsSeeAndChangeSources() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            _ = try await server.stores.users.create(NewUser(login: "ed", password: Secret("edit1"), role: .editor))
            let user = "ed:edit1"

            let read = try await server.get("/api/datasources", user: user)
            let write = try await server.send(.POST, "/api/datasources", ["name": "x", "type": "x"], user: user)

            #expect(read.status == 403 && write.status == 403)
            #expect(read.json["title"]?.string == "Access denied" && read.json["accessErrorId"] != nil)
            #expect(try await server.get("/api/datasources/uid/probe/health", user: user).status == 200)
        }
    }

    @Test func healthFollowsThePlugin() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let bad = try await server.addProbe(name: "bad", uid: "bad", jsonData: #"{"health":"error"}"#)
            try await server.addProbe(name: "broken", uid: "broken", jsonData: #"{"health":"throw"}"#)

            let ok = try await server.get("/api/datasources/uid/probe/health")
            let error = try await server.get("/api/datasources/\(bad)/health")

            #expect(ok.status == 200)
            #expect(ok.json == ["status": "OK", "message": "fine", "details": ["version": "1"]])
            #expect(error.status == 400 && error.json["status"]?.string == "ERROR")
            #expect(try await server.get("/api/datasources/uid/broken/health").status == 500)
            #expect(try await server.get("/api/datasources/uid/none/health").message == "Data source not found")
        }
    }

    @Test func aChangeReachesTheNextQuery() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            #expect(try await server.get("/api/datasources/uid/probe/health").status == 200)

            let body: JSONValue = ["name": "probe", "type": "acme-probe-datasource", "jsonData": ["health": "error"]]
            _ = try await server.send(.PUT, "/api/datasources/uid/probe", body)

            #expect(try await server.get("/api/datasources/uid/probe/health").status == 400)
        }
    }

    @Test func aUIDThatBecameFreeBringsNoSecretsAlong() async throws {
        try await TestServer.run { server async throws in
            func secret(_ uid: String) async throws -> String? {
                let query: JSONValue = ["refId": "A", "datasource": ["uid": .string(uid)]]
                let fields = try await server.query([query]).json["results"]?["A"]?["frames"]?[0]
                let names = fields?["schema"]?["fields"]?.array?.map { $0["name"]?.string } ?? []
                let place = try #require(names.firstIndex(of: "secret"))
                return fields?["data"]?["values"]?[place]?[0]?.string
            }
            let type = JSONValue.string("acme-probe-datasource")
            let made = try await server.send(
                .POST, "/api/datasources",
                ["name": "a", "type": type, "uid": "x1", "secureJsonData": ["apiKey": "s3cret-of-a"]])
            #expect(made.status == 200)
            #expect(try await secret("x1") == "s3cret-of-a")
            #expect(try await server.get("/api/datasources/uid/x1/health").status == 200)

            let moved = try await server.send(
                .PUT, "/api/datasources/uid/x1", ["name": "a", "type": type, "uid": "y1"])
            let other = try await server.send(.POST, "/api/datasources", ["name": "b", "type": type, "uid": "x1"])

            #expect(moved.status == 200 && other.status == 200)
            #expect(try await secret("x1") == "")
            #expect(try await secret("y1") == "s3cret-of-a")
        }
    }
}

struct ResourceAPITests {
    @Test(arguments: ["..%2f..%2fadmin", "a/%2e%2e/b", "a%5C..%5cb", "%2E%2e", "a/..", "%zz/..%2f", "a//../b"])
    func pathsThatClimbAreRefused(path: String) async throws {
        try await TestServer.run { server async throws in
            let id = try await server.addProbe()
            for base in ["uid/probe", "\(id)"] {
                let connection = try RawConnection(port: server.port)
                connection.send(
                    "GET /api/datasources/\(base)/resources/\(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        + "Authorization: Basic YWRtaW46YWRtaW4=\r\n\r\n")

                let text = await connection.readText()

                #expect(text.hasPrefix("HTTP/1.1 400") && text.contains("invalid path"), "\(text)")
            }
            #expect(!ResourceAPI.climbs("a..b/...%2f.%2fc..%5c%2e/%") && !ResourceAPI.climbs(""))
        }
    }

    @Test func theRequestReachesThePluginWithoutCredentials() async throws {
        try await TestServer.run { server async throws in
            let id = try await server.addProbe()
            let headers = [("x-mine", "1"), ("cookie", "a=b"), ("connection", "x-mine2"), ("x-mine2", "2")]

            for path in ["uid/probe", "\(id)"] {
                let answer = try await server.sendBytes(
                    .PATCH, "/api/datasources/\(path)/resources/api/v1/a%2Fb/?q=1%202&r", Array("hello".utf8),
                    headers: headers)

                #expect(answer.status == 200)
                #expect(answer.json["method"]?.string == "PATCH" && answer.json["path"]?.string == "api/v1/a%2Fb/")
                #expect(answer.json["query"]?.string == "q=1%202&r" && answer.json["body"]?.string == "hello")
                let names = answer.json["headers"]?.array?.compactMap(\.string) ?? []
                #expect(names.contains("x-mine") && names.contains("traceparent"))
                #expect(!names.contains("authorization") && !names.contains("cookie") && !names.contains("x-mine2"))
                #expect(answer.headers.first(name: "content-security-policy") == "sandbox")
            }
        }
    }

    @Test func answersPassAsThePluginGaveThem() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let base = "/api/datasources/uid/probe/resources"

            let chunks = try await server.get(base + "/chunks")
            let none = try await server.get(base + "/none")
            let teapot = try await server.get(base + "/teapot")

            #expect(chunks.text.split(separator: "\n").count == 1000 && chunks.text.hasSuffix("chunk 999\n"))
            #expect(chunks.headers["set-cookie"].isEmpty)
            #expect(none.status == 204 && none.body.isEmpty)
            #expect(teapot.status == 418 && teapot.json == ["short": true])
            #expect(try await server.get(base).json["path"]?.string == "")
        }
    }

    @Test func aClientThatLeavesCancelsTheCall() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let connection = try RawConnection(port: server.port)
            connection.send(
                "GET /api/datasources/uid/probe/resources/wait HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n"
            )
            try await eventually {
                server.platform.plugins.contains { $0.id == "acme-probe-datasource" && $0.callsRunning > 0 }
            }

            connection.close()

            try await eventually { ProbeDataSource.cancellations.withLock { $0.contains("resource") } }
        }
    }
}
