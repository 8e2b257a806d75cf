// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import PluginABI
import Storage

/// The signed-in user's own things: `/api/user`, the password, the sessions.
struct UserAPI: Sendable {
    let services: ServerServices

    private static let bodyLimit = 64 * 1024

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/user", use: user)
        router.put("api/user/password", use: changePassword)
        router.get("api/user/auth-tokens", use: sessions)
        router.post("api/user/revoke-auth-token", use: revoke)
        router.post("api/user/auth-tokens/rotate", use: rotate)
        router.get("profile/password", use: passwordPage)
        router.post("profile/password", use: changePasswordByForm)
    }

    @Sendable
    private func user(_ request: Request, _ context: APIContext) throws -> Response {
        let user = try signedInUser(context)
        let identity = try context.requireIdentity()
        return .json([
            "id": .integer(user.id), "uid": .string(user.uid), "email": .string(user.email), "name": .string(user.name),
            "login": .string(user.login), "theme": .string(user.theme), "orgId": .integer(identity.orgID),
            "isGrafanaAdmin": .bool(user.isAdmin), "isDisabled": .bool(user.isDisabled), "isExternal": false,
            "isExternallySynced": false, "isGrafanaAdminExternallySynced": false, "authLabels": [],
            "updatedAt": .string(user.updated.rfc3339), "createdAt": .string(user.created.rfc3339),
            "avatarUrl": .string(""),
        ])
    }

    @Sendable
    private func changePassword(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try signedInUser(context)
        let body = try await request.collectObject(upTo: Self.bodyLimit)
        guard let old = body["oldPassword"]?.string, let new = body["newPassword"]?.string else {
            throw APIError.badRequestData
        }
        try await change(user, from: old, to: new, confirmation: body["confirmNew"]?.string, context)
        return .message("User password changed")
    }

    @Sendable
    private func passwordPage(_ request: Request, _ context: APIContext) throws -> Response {
        .html(PasswordPage(isForced: try signedInUser(context).mustChangePassword).html(services.options))
    }

    @Sendable
    private func changePasswordByForm(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try signedInUser(context)
        try OriginRule(options: services.options).check(request)
        let fields = FormFields(try await request.collect(upTo: Self.bodyLimit))
        do {
            try await change(
                user, from: fields["oldPassword"] ?? "", to: fields["newPassword"] ?? "",
                confirmation: fields["confirmNew"] ?? "", context)
            return .redirect(to: services.options.link("/"))
        } catch let error as APIError {
            let page = PasswordPage(isForced: user.mustChangePassword, failure: error.message)
            return .html(page.html(services.options), status: error.status)
        }
    }

    /// Checks the old password, sets the new one and ends the user's other sessions.
    private func change(
        _ user: User, from old: String, to new: String, confirmation: String?, _ context: APIContext
    ) async throws {
        let users = services.stores.users
        guard try await users.authenticate(loginOrEmail: user.login, password: Secret(old)) != nil else {
            throw APIError(.badRequest, "Invalid old password")
        }
        guard new.count >= 4 else { throw APIError(.badRequest, "New password is too short") }
        guard new.utf8.count <= 1024 else { throw APIError(.badRequest, "New password is too long") }
        if let confirmation, !confirmation.isEmpty || context.identity?.session != nil, confirmation != new {
            throw APIError(.badRequest, "The two new passwords differ")
        }
        try await users.setPassword(id: user.id, to: Secret(new))
        let current = context.identity?.session?.id
        for session in try await services.stores.sessions.list(userID: user.id) where session.id != current {
            try? await services.stores.sessions.revoke(id: session.id, userID: user.id)
        }
        services.authenticator.credentials.removeAll()
    }

    @Sendable
    private func sessions(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try signedInUser(context)
        let current = context.identity?.session?.id
        let list = try await services.stores.sessions.list(userID: user.id)
        return .json(.array(list.map { SessionDescription($0, isActive: $0.id == current).json }))
    }

    @Sendable
    private func revoke(_ request: Request, _ context: APIContext) async throws -> Response {
        let user = try signedInUser(context)
        guard let id = try await request.collectObject(upTo: Self.bodyLimit)["authTokenId"]?.int else {
            throw APIError.badRequestData
        }
        guard context.identity?.session?.id != Int64(id) else {
            throw APIError(.badRequest, "Cannot revoke active user auth token")
        }
        do {
            try await services.stores.sessions.revoke(id: Int64(id), userID: user.id)
        } catch let error as StorageError {
            throw APIError(error, notFound: "User auth token not found")
        }
        services.authenticator.credentials.removeAll()
        return .message("User auth token revoked")
    }

    /// Replaces the token of the session now.
    @Sendable
    private func rotate(_ request: Request, _ context: APIContext) async throws -> Response {
        guard let session = context.identity?.session else { throw APIError.unauthorized }
        var response = Response.json([:])
        let sessions = services.stores.sessions
        let agent = String((request.headers[.userAgent] ?? "").prefix(255))
        if let token = try await sessions.rotate(session, userAgent: agent, clientIP: context.clientIP) {
            services.authenticator.credentials.removeAll()
            var next = session
            next.isSeen = true
            next.rotatedAt = .now
            SessionCookies(services.options).set(token, nextRotation: sessions.nextRotation(of: next), on: &response)
        }
        return response
    }

    private func signedInUser(_ context: APIContext) throws -> User {
        guard let user = try context.requireIdentity().user else { throw APIError.unauthorized }
        return user
    }
}

/// A session as `GET /api/user/auth-tokens` shows it.
struct SessionDescription {
    private let session: UserSession
    private let isActive: Bool

    init(_ session: UserSession, isActive: Bool) {
        self.session = session
        self.isActive = isActive
    }

    var json: JSONValue {
        let agent = session.userAgent
        let (browser, version) = Self.browser(agent)
        let (system, systemVersion) = Self.system(agent)
        return [
            "id": .integer(session.id), "isActive": .bool(isActive), "clientIp": .string(session.clientIP),
            "browser": .string(browser), "browserVersion": .string(version), "os": .string(system),
            "osVersion": .string(systemVersion), "device": agent.contains("Mobile") ? "Mobile" : "Other",
            "createdAt": .string(session.createdAt.rfc3339),
            "seenAt": .string((session.seenAt ?? session.createdAt).rfc3339),
        ]
    }

    /// The order matters: browsers name those that they are compatible with.
    private static func browser(_ agent: String) -> (String, String) {
        for (mark, name) in [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome")] {
            if let version = version(after: mark, in: agent) { return (name, version) }
        }
        if agent.contains("Safari/"), let version = version(after: "Version/", in: agent) { return ("Safari", version) }
        let parts = agent.split(separator: "/", maxSplits: 1)
        return (parts.first.map { String($0.prefix(40)) } ?? "", version(after: "/", in: agent) ?? "")
    }

    private static func system(_ agent: String) -> (String, String) {
        if let version = version(after: "Windows NT ", in: agent) { return ("Windows", version) }
        if let version = version(after: "Android ", in: agent) { return ("Android", version) }
        if let version = version(after: "Mac OS X ", in: agent) { return ("Mac OS X", version) }
        return (agent.contains("Linux") ? "Linux" : "Other", "")
    }

    private static func version(after mark: String, in agent: String) -> String? {
        guard let range = agent.firstRange(of: mark) else { return nil }
        let digits = agent[range.upperBound...].prefix { $0.isNumber || $0 == "." || $0 == "_" }
        return String(digits.map { $0 == "_" ? "." : $0 }.prefix(20))
    }
}
