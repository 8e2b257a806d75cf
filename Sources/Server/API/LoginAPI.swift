// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI
import Storage

/// Signing in and out with a session cookie.
struct LoginAPI: Sendable {
    let services: ServerServices

    private var options: ServerOptions { services.options }
    private static let bodyLimit = 64 * 1024

    /// Routes that need no identity.
    func addOpenRoutes(to router: some RouterMethods<APIContext>) {
        router.get("login", use: page)
        router.post("login", use: login)
    }

    /// Routes that know the identity if there is one.
    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("logout", use: logout)
    }

    func addSignedInRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/login/ping") { _, _ in Response.message("Logged in") }
    }

    @Sendable
    private func page(_ request: Request, _ context: APIContext) -> Response {
        .html(LoginPage().html(options))
    }

    /// Takes JSON as clients send it, or the form of the login page.
    @Sendable
    private func login(_ request: Request, _ context: APIContext) async throws -> Response {
        services.metrics.count(.loginPost)
        try OriginRule(options: options).check(request)
        guard !options.disablesLoginForm else {
            throw APIError(.unauthorized, "Login is disabled", messageID: "auth.login-disabled")
        }
        let isForm = request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") ?? false
        let (login, password) = try await isForm ? form(request) : json(request)
        do {
            let user = try await services.authenticator.verify(
                login: login, password: Secret(password), clientIP: context.clientIP)
            var response: Response =
                isForm
                ? .redirect(to: options.link(user.mustChangePassword ? "/profile/password" : "/"))
                : .message("Logged in")
            try await begin(user, request, context, &response)
            return response
        } catch let error as APIError where isForm {
            return .html(LoginPage(failure: error.message, login: login).html(options), status: error.status)
        }
    }

    private func json(_ request: Request) async throws -> (String, String) {
        let object = try await request.collectObject(upTo: Self.bodyLimit)
        guard let login = object["user"]?.string, let password = object["password"]?.string else {
            throw APIError.badRequestData
        }
        return (login, password)
    }

    private func form(_ request: Request) async throws -> (String, String) {
        let fields = FormFields(try await request.collect(upTo: Self.bodyLimit))
        return (fields["user"] ?? "", fields["password"] ?? "")
    }

    /// Begins a session for a user and gives its cookies to the client.
    private func begin(_ user: User, _ request: Request, _ context: APIContext, _ response: inout Response) async throws
    {
        let sessions = services.stores.sessions
        let agent = String((request.headers[.userAgent] ?? "").prefix(255))
        let (token, session) = try await sessions.create(userID: user.id, userAgent: agent, clientIP: context.clientIP)
        SessionCookies(options).set(token, nextRotation: sessions.nextRotation(of: session), on: &response)
        if options.maximumLoginAttempts > 0 { try await services.stores.loginAttempts.reset(login: user.login) }
        try await services.stores.users.markSeen(id: user.id, at: .now)
    }

    @Sendable
    private func logout(_ request: Request, _ context: APIContext) async throws -> Response {
        if let session = context.identity?.session {
            try? await services.stores.sessions.revoke(id: session.id, userID: session.userID)
            services.authenticator.credentials.removeAll()
        }
        let target = options.signoutRedirectURL.isEmpty ? options.link("/login") : options.signoutRedirectURL
        var response = Response.redirect(to: target)
        SessionCookies(options).clear(on: &response)
        return response
    }
}

/// The fields of an `application/x-www-form-urlencoded` body; of equal names the first counts.
struct FormFields: Sendable {
    private var fields: [String: String] = [:]

    init(_ body: ByteBuffer) {
        for pair in String(buffer: body).split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = parts.map { String($0.map { $0 == "+" ? " " : $0 }).removingPercentEscapes ?? "" }
            if let name = decoded.first, fields[name] == nil { fields[name] = decoded.count > 1 ? decoded[1] : "" }
        }
    }

    subscript(name: String) -> String? { fields[name] }
}
