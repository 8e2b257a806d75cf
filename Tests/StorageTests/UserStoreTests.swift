// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Storage

struct UserStoreTests {
    @Test func aUserJoinsTheOrganisation() async throws {
        try await withStores { stores, _ in
            let user = try await stores.users.create(
                NewUser(login: "Ada", email: "Ada@Example.com", name: "Ada L.", password: Secret("p"), role: .editor))

            #expect(user.login == "ada" && user.email == "ada@example.com" && user.name == "Ada L.")
            #expect(!user.isAdmin && !user.isDisabled && !user.mustChangePassword)
            let memberships = try await stores.orgs.memberships(userID: user.id)
            #expect(memberships == [OrgMembership(orgID: 1, orgName: "Main Org.", userID: user.id, role: .editor)])
            for text in ["ADA", "ada@example.com"] {
                #expect(try await stores.users.find(loginOrEmail: text) == user)
            }
        }
    }

    @Test func loginsAndAddressesAreUnique() async throws {
        try await withStores { stores, _ in
            _ = try await stores.users.create(NewUser(login: "ada", email: "a@b", password: Secret("p")))
            let codes = try await [
                NewUser(login: "ADA", password: Secret("p")), NewUser(login: "x", email: "A@B", password: Secret("p")),
            ]
            .asyncMap { draft in try await storageErrorCode { _ = try await stores.users.create(draft) } }
            let empty = try await storageErrorCode {
                _ = try await stores.users.create(NewUser(login: "", password: Secret("")))
            }

            #expect(codes == [.nameExists, .nameExists])
            #expect(empty == .invalidValue)
        }
    }

    @Test func onlyTheRightPasswordLetsIn() async throws {
        try await withStores { stores, _ in
            let user = try await stores.users.create(NewUser(login: "ada", email: "a@b", password: Secret("right")))

            #expect(try await stores.users.authenticate(loginOrEmail: "Ada", password: Secret("right"))?.id == user.id)
            #expect(try await stores.users.authenticate(loginOrEmail: "a@b", password: Secret("right"))?.id == user.id)
            for wrong in ["wrong", "", "right ", "RIGHT"] {
                #expect(try await stores.users.authenticate(loginOrEmail: "ada", password: Secret(wrong)) == nil)
            }
            #expect(try await stores.users.authenticate(loginOrEmail: "nobody", password: Secret("right")) == nil)
            try await stores.users.setDisabled(id: user.id, true)
            #expect(try await stores.users.authenticate(loginOrEmail: "ada", password: Secret("right")) == nil)
        }
    }

    @Test func aNewPasswordReplacesTheOld() async throws {
        try await withStores { stores, _ in
            let user = try await stores.users.create(NewUser(login: "ada", password: Secret("old")))
            try await stores.users.setPassword(id: user.id, to: Secret("new"), mustChange: true)

            #expect(try await stores.users.authenticate(loginOrEmail: "ada", password: Secret("old")) == nil)
            let known = try await stores.users.authenticate(loginOrEmail: "ada", password: Secret("new"))
            #expect(known?.mustChangePassword == true)
            let code = try await storageErrorCode { try await stores.users.setPassword(id: 99, to: Secret("x")) }
            #expect(code == .notFound)
        }
    }

    @Test func theFirstAdministratorIsMadeOnce() async throws {
        try await withStores { stores, _ in
            var draft = NewUser(login: "admin", email: "admin@localhost", password: Secret("admin"))
            draft.mustChangePassword = true
            let made = try await stores.users.ensureAdmin(draft)
            let again = try await stores.users.ensureAdmin(draft)

            #expect(made?.isAdmin == true && made?.mustChangePassword == true)
            #expect(again == nil)
            #expect(try await stores.orgs.role(userID: made?.id ?? 0, orgID: 1) == .admin)
        }
    }

    @Test func profilesChangeByParts() async throws {
        try await withStores { stores, clock in
            let user = try await stores.users.create(
                NewUser(login: "ada", email: "a@b", name: "A", password: Secret("p")))
            _ = try await stores.users.create(NewUser(login: "bob", password: Secret("p")))
            clock.advance(seconds: 5)
            let changed = try await stores.users.updateProfile(id: user.id, name: "Ada")
            let taken = try await storageErrorCode {
                _ = try await stores.users.updateProfile(id: user.id, login: "bob")
            }

            #expect(changed.login == "ada" && changed.name == "Ada" && changed.updated > user.updated)
            #expect(taken == .nameExists)
        }
    }

    @Test func listsFilterWithoutPatterns() async throws {
        try await withStores { stores, _ in
            for login in ["a_b", "axb", "50%"] {
                _ = try await stores.users.create(NewUser(login: login, password: Secret("p")))
            }

            #expect(try await stores.users.list(query: "a_b").map(\.login) == ["a_b"])
            #expect(try await stores.users.list(query: "%").map(\.login) == ["50%"])
            #expect(try await stores.users.list(limit: 2, offset: 1).map(\.login) == ["a_b", "axb"])
            #expect(try await stores.users.count() == 3)
            let none = try await stores.users.list(limit: -1, offset: 10)
            #expect(none.isEmpty)
        }
    }

    @Test func deletedUsersLeaveNothing() async throws {
        try await withStores { stores, _ in
            let user = try await stores.users.create(NewUser(login: "ada", password: Secret("p")))
            let token = try await stores.sessions.create(userID: user.id, userAgent: "", clientIP: "").token
            try await stores.users.delete(id: user.id)

            #expect(try await storageErrorCode { _ = try await stores.sessions.find(token: token) } == .sessionInvalid)
            #expect(try await stores.orgs.members(orgID: 1).isEmpty)
            #expect(try await storageErrorCode { _ = try await stores.users.find(id: user.id) } == .notFound)
        }
    }

    @Test func organisationsHaveMembers() async throws {
        try await withStores { stores, _ in
            let org = try await stores.orgs.create(name: "other")
            let user = try await stores.users.create(NewUser(login: "ada", password: Secret("p")))
            try await stores.orgs.setRole(.viewer, userID: user.id, orgID: org.id)
            try await stores.orgs.setRole(.admin, userID: user.id, orgID: org.id)
            #expect(try await stores.orgs.role(userID: user.id, orgID: org.id) == .admin)
            try await stores.orgs.removeMember(userID: user.id, orgID: org.id)
            #expect(try await stores.orgs.role(userID: user.id, orgID: org.id) == nil)

            let taken = try await storageErrorCode { _ = try await stores.orgs.create(name: "other") }
            let unknown = try await storageErrorCode {
                try await stores.orgs.setRole(.viewer, userID: 99, orgID: org.id)
            }
            try await stores.orgs.rename(id: org.id, to: "renamed")
            #expect(try await stores.orgs.find(name: "renamed").id == org.id)
            try await stores.orgs.delete(id: org.id)
            let gone = try await storageErrorCode { _ = try await stores.orgs.find(id: org.id) }
            #expect([taken, unknown, gone] == [.nameExists, .constraintViolation, .notFound])
            #expect(OrgRole.viewer < .admin && OrgRole.none < .viewer)
        }
    }

    @Test func fiveFailuresBlockALogin() async throws {
        try await withStores { stores, clock in
            for _ in 0..<5 {
                #expect(try await stores.loginAttempts.isBlocked(login: "ada") == false)
                try await stores.loginAttempts.record(login: "Ada", clientIP: "127.0.0.1")
            }
            #expect(try await stores.loginAttempts.isBlocked(login: "ADA"))
            #expect(try await stores.loginAttempts.isBlocked(login: "bob") == false)
            clock.advance(seconds: 301)
            #expect(try await stores.loginAttempts.isBlocked(login: "ada") == false)
            try await stores.loginAttempts.deleteOld()
            clock.advance(seconds: 600)
            try await stores.loginAttempts.deleteOld()
            let rows = try await stores.database.read { try $0.count("SELECT COUNT(*) AS n FROM login_attempt") }
            #expect(rows == 0)
        }
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
