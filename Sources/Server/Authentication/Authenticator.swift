// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Storage

/// Finds out who sends a request.
///
/// The first credential that a request carries decides: bearer token, basic authentication, session cookie. One that is
/// present and wrong is a 401, never an anonymous visit.
struct Authenticator: Sendable {
    let options: ServerOptions
    let stores: Stores
    var credentials = CredentialCache()

    /// Who sends the request; nil when it carries no credentials and visitors are not allowed.
    ///
    /// - Throws: ``APIError`` 401 for wrong credentials, and for an organisation that the user is no member of.
    func identity(of request: Request, clientIP: String) async throws -> Identity? {
        var identity: Identity?
        if let header = request.headers[.authorization] {
            identity = try await self.identity(authorization: header, clientIP: clientIP)
        } else if let token = SessionCookies(options).token(in: request) {
            identity = try await self.identity(token: token)
        } else {
            identity = try await anonymousIdentity()
        }
        if let wanted = try Self.wantedOrg(request) { try await choose(wanted, for: &identity) }
        return identity
    }

    /// The user with these credentials; counts failures and refuses logins that were guessed too often.
    ///
    /// - Throws: ``APIError/invalidLogin``, whatever is wrong.
    func verify(login: String, password: Secret, clientIP: String) async throws -> User {
        guard !login.isEmpty, !password.clearText.isEmpty, login.utf8.count <= 190 else { throw APIError.invalidLogin }
        let name = login.lowercased()
        if options.maximumLoginAttempts > 0 {
            let isBlocked = try await stores.loginAttempts.isBlocked(login: name, limit: options.maximumLoginAttempts)
            guard !isBlocked else { throw APIError.invalidLogin }
        }
        guard let user = try await stores.users.authenticate(loginOrEmail: login, password: password) else {
            if options.maximumLoginAttempts > 0 {
                try await stores.loginAttempts.record(login: name, clientIP: clientIP)
            }
            throw APIError.invalidLogin
        }
        return user
    }

    private func identity(authorization: String, clientIP: String) async throws -> Identity? {
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { throw APIError.unauthorized }
        switch parts[0].lowercased() {
        case "basic": return try await identity(basic: String(parts[1]), clientIP: clientIP)
        case "bearer": throw APIError(.unauthorized, "Invalid API key", messageID: "api-key.invalid")
        default: throw APIError.unauthorized
        }
    }

    private func identity(basic encoded: String, clientIP: String) async throws -> Identity {
        guard options.isBasicAuthEnabled else { throw APIError.invalidLogin }
        let name = "basic " + encoded
        let change = credentials.change
        var known: User?
        switch credentials.knowledge(of: name) {
        case .identity(let identity): return identity
        case .user(let user): known = try await unchanged(user)
        case .nothing: break
        }
        let user: User = if let known { known } else { try await verify(basic: encoded, clientIP: clientIP) }
        let identity = try await identity(user: user)
        credentials.remember(name, as: identity, since: change, isVerified: known == nil)
        return identity
    }

    /// The user as stored; nil when it is gone or was changed since, its password maybe.
    private func unchanged(_ user: User) async throws -> User? {
        do {
            let current = try await stores.users.find(id: user.id)
            return current.updated == user.updated ? current : nil
        } catch let error as StorageError where error.code == .notFound {
            return nil
        }
    }

    private func verify(basic encoded: String, clientIP: String) async throws -> User {
        guard let data = Data(base64Encoded: encoded), let text = String(validating: data, as: UTF8.self),
            let colon = text.firstIndex(of: ":")
        else { throw APIError.invalidLogin }
        let login = String(text[..<colon])
        guard login != "api_key" else {
            throw APIError(.unauthorized, "Invalid API key", messageID: "api-key.invalid")
        }
        let password = Secret(String(text[text.index(after: colon)...]))
        return try await verify(login: login, password: password, clientIP: clientIP)
    }

    private func identity(token: Secret) async throws -> Identity {
        let name = "session " + token.clearText
        let change = credentials.change
        if case .identity(let identity) = credentials.knowledge(of: name) { return identity }
        do {
            let session = try await stores.sessions.find(token: token)
            var identity = try await identity(user: try await stores.users.find(id: session.userID))
            identity.session = session
            credentials.remember(name, as: identity, since: change, isVerified: false)
            return identity
        } catch let error as StorageError where error.code == .sessionInvalid || error.code == .notFound {
            throw APIError(.unauthorized, "Unauthorized", messageID: "session.token.invalid")
        }
    }

    private func identity(user: User) async throws -> Identity {
        guard !user.isDisabled else { throw APIError.invalidLogin }
        let role = try await stores.orgs.role(userID: user.id, orgID: user.orgID) ?? .none
        return Identity(user: user, orgID: user.orgID, role: role)
    }

    private func anonymousIdentity() async throws -> Identity? {
        guard let anonymous = options.anonymous else { return nil }
        let org = try await stores.orgs.find(name: anonymous.orgName)
        return Identity(user: nil, orgID: org.id, role: OrgRole(rawValue: anonymous.role) ?? .viewer)
    }

    /// The organisation that the header or the query names.
    private static func wantedOrg(_ request: Request) throws -> Int64? {
        if let header = request.headers[.orgIdentifier] { return Int64(header) }
        guard request.uri.query != nil, let text = request.query("orgId") else { return nil }
        return Int64(text)
    }

    private func choose(_ orgID: Int64, for identity: inout Identity?) async throws {
        guard var chosen = identity, orgID > 0, orgID != chosen.orgID else { return }
        guard let user = chosen.user, let role = try await stores.orgs.role(userID: user.id, orgID: orgID) else {
            throw APIError(.unauthorized, "Unauthorized", messageID: "auth.wrong-organisation")
        }
        chosen.orgID = orgID
        chosen.role = role
        identity = chosen
    }
}
