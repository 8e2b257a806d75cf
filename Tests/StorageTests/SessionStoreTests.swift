// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Testing

@testable import Storage

struct SessionStoreTests {
    private func withSession(
        _ body: (SessionStore, Secret, ManualClock) async throws -> Void
    ) async throws {
        try await withStores { stores, clock in
            let user = try await stores.users.create(NewUser(login: "ada", password: Secret("p")))
            let token = try await stores.sessions.create(userID: user.id, userAgent: "ua", clientIP: "ip").token
            try await body(stores.sessions, token, clock)
        }
    }

    private func isValid(_ token: Secret, _ sessions: SessionStore) async throws -> Bool {
        let code = try await storageErrorCode { _ = try await sessions.find(token: token) }
        #expect(code == nil || code == .sessionInvalid)
        return code == nil
    }

    @Test func aTokenIs32HexDigitsAndFindsItsSession() async throws {
        try await withSession { sessions, token, clock in
            let session = try await sessions.find(token: token)

            #expect(token.clearText.wholeMatch(of: /[0-9a-f]{32}/) != nil)
            #expect(session.isSeen && session.seenAt == clock.clock.now())
            #expect(session.userAgent == "ua" && session.clientIP == "ip")
            for wrong in ["", "x", token.clearText + "0", token.clearText.uppercased() + "z"] {
                #expect(try await isValid(Secret(wrong), sessions) == false)
            }
        }
    }

    @Test func rotationIsDueAfterTheIntervalOrSoonWhenUnseen() async throws {
        try await withSession { sessions, token, clock in
            let unseen = try await sessions.list(userID: 1)[0]
            #expect(sessions.nextRotation(of: unseen).timeIntervalSince(unseen.rotatedAt) == 60)
            var session = try await sessions.find(token: token)
            clock.advance(seconds: 599)
            #expect(try await sessions.rotateIfDue(session, userAgent: "u2", clientIP: "i2") == nil)
            clock.advance(seconds: 1)
            let next = try #require(try await sessions.rotateIfDue(session, userAgent: "u2", clientIP: "i2"))

            // The old token works beside the new one, and using it does not count as having seen the new one.
            #expect(try await sessions.find(token: token).isSeen == false)
            session = try await sessions.find(token: next)
            #expect(session.isSeen && session.clientIP == "i2")
            #expect(try await isValid(token, sessions))
        }
    }

    @Test func theTokenBeforeTheLastIsGone() async throws {
        try await withSession { sessions, first, clock in
            var session = try await sessions.find(token: first)
            clock.advance(seconds: 600)
            let second = try #require(try await sessions.rotate(session, userAgent: "", clientIP: ""))
            session = try await sessions.find(token: second)
            clock.advance(seconds: 600)
            let third = try #require(try await sessions.rotate(session, userAgent: "", clientIP: ""))

            #expect(try await isValid(first, sessions) == false)
            #expect(try await isValid(second, sessions))
            #expect(try await isValid(third, sessions))
        }
    }

    @Test func aLostNewTokenDoesNotLockTheClientOut() async throws {
        try await withSession { sessions, first, clock in
            var session = try await sessions.find(token: first)
            clock.advance(seconds: 600)
            let lost = try #require(try await sessions.rotate(session, userAgent: "", clientIP: ""))
            clock.advance(seconds: 61)
            session = try await sessions.find(token: first)
            let again = try #require(try await sessions.rotateIfDue(session, userAgent: "", clientIP: ""))

            #expect(try await isValid(first, sessions))
            #expect(try await isValid(again, sessions))
            #expect(try await isValid(lost, sessions) == false)
        }
    }

    @Test func ofManyRotationsAtOnceOneWins() async throws {
        try await withSession { sessions, token, clock in
            let session = try await sessions.find(token: token)
            clock.advance(seconds: 600)
            let tokens = try await withThrowingTaskGroup(of: Secret?.self) { group in
                for _ in 0..<10 {
                    group.addTask { try await sessions.rotateIfDue(session, userAgent: "", clientIP: "") }
                }
                return try await group.reduce(into: [Secret]()) { if let token = $1 { $0.append(token) } }
            }

            #expect(tokens.count == 1)
        }
    }

    @Test func inactiveSessionsEnd() async throws {
        try await withSession { sessions, token, clock in
            clock.advance(seconds: 7 * 86_400 - 1)
            let before = try await isValid(token, sessions)
            clock.advance(seconds: 1)
            let after = try await isValid(token, sessions)
            let deleted = try await sessions.deleteExpired()

            #expect(before && !after)
            #expect(deleted == 1)
        }
    }

    @Test func activeSessionsEndAtTheirLifetime() async throws {
        try await withSession { sessions, first, clock in
            var token = first
            for _ in 0..<29 {
                clock.advance(seconds: 86_400)
                let session = try await sessions.find(token: token)
                token = try #require(try await sessions.rotateIfDue(session, userAgent: "", clientIP: ""))
            }
            #expect(try await isValid(token, sessions))
            clock.advance(seconds: 86_400)
            #expect(try await isValid(token, sessions) == false)
        }
    }

    @Test func revokedSessionsEnd() async throws {
        try await withSession { sessions, token, _ in
            let session = try await sessions.find(token: token)
            let foreign = try await storageErrorCode { try await sessions.revoke(id: session.id, userID: 99) }
            try await sessions.revoke(id: session.id, userID: session.userID)
            let twice = try await storageErrorCode { try await sessions.revoke(id: session.id, userID: session.userID) }

            #expect([foreign, twice] == [.notFound, .notFound])
            #expect(try await isValid(token, sessions) == false)
            #expect(try await sessions.list(userID: session.userID).isEmpty)
            _ = try await sessions.create(userID: session.userID, userAgent: "", clientIP: "")
            #expect(try await sessions.revokeAll(userID: session.userID) == 1)
        }
    }
}
