// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import PluginABI
import Storage
import Testing

@testable import Server

struct AuthenticationTests {
    /// The session cookie of an answer as a request header.
    private func cookie(_ answer: Answer) -> [(String, String)] {
        let pair = answer.headers["set-cookie"].first { $0.hasPrefix("grafana_session=") }?.prefix { $0 != ";" } ?? ""
        return [("cookie", String(pair))]
    }

    private func login(_ server: TestServer, _ user: String = "admin", _ password: String = "admin") async throws
        -> Answer
    {
        try await server.send(.POST, "/login", ["user": .string(user), "password": .string(password)], user: nil)
    }

    @Test func aLoginMakesASession() async throws {
        try await TestServer.run { server async throws in
            let answer = try await login(server)
            let session = cookie(answer)

            #expect(answer.status == 200 && answer.json == ["message": "Logged in"])
            let header = answer.headers["set-cookie"].first { $0.hasPrefix("grafana_session=") } ?? ""
            #expect(header.contains("HttpOnly") && header.contains("SameSite=Lax") && header.contains("Path=/"))
            #expect(!header.contains("Secure"))
            #expect(answer.headers["set-cookie"].contains { $0.hasPrefix("grafana_session_expiry=") })
            #expect(try await server.get("/api/login/ping", headers: session, user: nil).status == 200)
            #expect(try await server.get("/api/user", headers: session, user: nil).json["login"]?.string == "admin")
        }
    }

    @Test func theEmailAddressIsALoginToo() async throws {
        try await TestServer.run { server async throws in
            #expect(try await login(server, "ADMIN@localhost").status == 200)
            #expect(try await server.get("/api/user", user: "admin@localhost:admin").status == 200)
        }
    }

    @Test(arguments: [("admin", "wrong"), ("nobody", "x"), ("admin", ""), ("", "")])
    func wrongCredentialsAllLookTheSame(user: String, password: String) async throws {
        try await TestServer.run { server async throws in
            let answer = try await login(server, user, password)
            let basic = try await server.get("/api/user", user: "\(user):\(password)")

            for answer in [answer, basic] {
                #expect(answer.status == 401 && answer.message == "Invalid username or password")
                #expect(answer.json["messageId"]?.string == "password-auth.failed")
            }
        }
    }

    @Test func fiveFailuresBlockALogin() async throws {
        try await TestServer.run { server async throws in
            for _ in 0..<5 { #expect(try await login(server, "admin", "wrong").status == 401) }

            #expect(try await login(server).status == 401)
        }
        try await TestServer.run(options: { $0.maximumLoginAttempts = 0 }) { server async throws in
            for _ in 0..<6 { #expect(try await login(server, "admin", "wrong").status == 401) }

            #expect(try await login(server).status == 200)
        }
    }

    @Test func logoutEndsTheSession() async throws {
        try await TestServer.run { server async throws in
            let session = cookie(try await login(server))

            let answer = try await server.get("/logout", headers: session, user: nil)

            // The client follows the redirect to the page.
            #expect(answer.status == 200 && answer.text.contains("Sign in"))
            let after = try await server.get("/api/user", headers: session, user: nil)
            #expect(after.status == 401)
        }
    }

    @Test func wrongCredentialsNeverBecomeAnAnonymousVisit() async throws {
        try await TestServer.run(options: { $0.anonymous = .init() }) { server async throws in
            #expect(try await server.get("/api/frontend/settings", user: nil).status == 200)
            #expect(try await server.get("/api/frontend/settings", user: "admin:wrong").status == 401)
            let headers = [("cookie", "grafana_session=00112233445566778899aabbccddeeff")]
            #expect(try await server.get("/api/frontend/settings", headers: headers, user: nil).status == 401)
            let bearer = try await server.get("/api/user", headers: [("authorization", "Bearer glsa_x")], user: nil)
            #expect(bearer.status == 401 && bearer.json["messageId"]?.string == "api-key.invalid")
        }
    }

    @Test func rotationGivesANewTokenAndTheOldOneStillWorks() async throws {
        try await TestServer.run { server async throws in
            let old = cookie(try await login(server))
            _ = try await server.get("/api/user", headers: old, user: nil)

            let answer = try await server.send(.POST, "/api/user/auth-tokens/rotate", [:], headers: old, user: nil)
            let new = cookie(answer)

            #expect(answer.status == 200 && new[0].1 != old[0].1 && new[0].1.count > 20)
            #expect(try await server.get("/api/user", headers: new, user: nil).status == 200)
            #expect(try await server.get("/api/user", headers: old, user: nil).status == 200)
        }
    }

    @Test func sessionsAreListedAndRevoked() async throws {
        try await TestServer.run { server async throws in
            let first = cookie(try await login(server))
            let second = cookie(try await login(server))

            let list = try await server.get("/api/user/auth-tokens", headers: first, user: nil).json
            let own = list.array?.first { $0["isActive"]?.bool == true }?["id"] ?? .null
            let other = list.array?.first { $0["isActive"]?.bool == false }?["id"] ?? .null
            func revoke(_ id: JSONValue) async throws -> Answer {
                try await server.send(
                    .POST, "/api/user/revoke-auth-token", ["authTokenId": id], headers: first, user: nil)
            }

            #expect(list.array?.count == 2)
            #expect(try await revoke(own).message == "Cannot revoke active user auth token")
            #expect(try await revoke(other).message == "User auth token revoked")
            #expect(try await revoke(other).status == 404)
            #expect(try await server.get("/api/user", headers: second, user: nil).status == 401)
        }
    }

    @Test func thePasswordIsChanged() async throws {
        try await TestServer.run { server async throws in
            func change(_ old: String, _ new: String) async throws -> Answer {
                try await server.send(
                    .PUT, "/api/user/password",
                    ["oldPassword": .string(old), "newPassword": .string(new), "confirmNew": .string(new)])
            }

            #expect(try await change("wrong", "longer").message == "Invalid old password")
            #expect(try await change("admin", "abc").message == "New password is too short")
            #expect(try await change("admin", "longer").message == "User password changed")
            #expect(try await server.get("/api/user").status == 401)
            #expect(try await server.get("/api/user", user: "admin:longer").status == 200)
        }
    }

    @Test func aPasswordThatWasResetElsewhereEndsTheOldOne() async throws {
        try await TestServer.run { server async throws in
            let authenticator = Authenticator(
                options: ServerOptions(), stores: server.stores, credentials: CredentialCache(freshness: .zero))
            func login(_ pair: String) async throws -> String? {
                var head = HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/api/user")
                head.headerFields[.authorization] = "Basic " + Data(pair.utf8).base64EncodedString()
                let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
                return try await authenticator.identity(of: request, clientIP: "")?.login
            }
            #expect(try await login("admin:admin") == "admin")
            #expect(try await login("admin:admin") == "admin")

            let user = try await server.stores.users.find(loginOrEmail: "admin")
            try await server.stores.users.setPassword(id: user.id, to: Secret("longer"))

            await #expect(throws: APIError.self) { _ = try await login("admin:admin") }
            #expect(try await login("admin:longer") == "admin")
            try await server.stores.users.delete(id: user.id)
            await #expect(throws: APIError.self) { _ = try await login("admin:longer") }
        }
    }

    @Test func anotherSitesPageCannotUseTheCookie() async throws {
        try await TestServer.run { server async throws in
            let session = cookie(try await login(server))
            let body: JSONValue = ["name": "x", "type": "prometheus"]

            let foreign = try await server.send(
                .POST, "/api/datasources", body, headers: session + [("origin", "https://evil.example")], user: nil)
            let own = try await server.send(
                .POST, "/api/datasources", body, headers: session + [("origin", "http://127.0.0.1:\(server.port)")],
                user: nil)

            #expect(foreign.status == 403 && foreign.message == "origin not allowed")
            #expect(own.status == 200)
        }
    }

    @Test func theOrganisationIsChosenByHeader() async throws {
        try await TestServer.run { server async throws in
            let org = try await server.stores.orgs.create(name: "Second")

            let foreign = try await server.get("/api/user", headers: [("x-grafana-org-id", "\(org.id)")])
            let user = try await server.stores.users.find(loginOrEmail: "admin")
            try await server.stores.orgs.setRole(.viewer, userID: user.id, orgID: org.id)
            let member = try await server.get("/api/user?orgId=\(org.id)")

            #expect(foreign.status == 401)
            #expect(member.json["orgId"]?.int == Int(org.id))
        }
    }

    @Test func manyLoginsAtOnceAllSucceed() async throws {
        try await TestServer.run { server async throws in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<40 { group.addTask { try await login(server).status } }
                var statuses: [Int] = []
                for try await status in group { statuses.append(status) }
                return statuses
            }

            #expect(statuses == [Int](repeating: 200, count: 40))
            let user = try await server.stores.users.find(loginOrEmail: "admin")
            #expect(try await server.stores.sessions.list(userID: user.id).count == 40)
        }
    }
}
