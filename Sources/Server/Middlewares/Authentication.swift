// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Storage

/// Lets only requests through that somebody signed in for, and replaces session tokens that are due.
struct Authentication: RouterMiddleware {
    /// What happens to a request without credentials.
    enum Policy: Sendable {
        /// 401.
        case required
        /// It goes on without an identity; wrong credentials do too.
        case optional
    }

    let authenticator: Authenticator
    var policy = Policy.required

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            context.identity = try await authenticator.identity(of: request, clientIP: context.clientIP)
        } catch let error as APIError where policy == .optional && error.status == .unauthorized {
            context.identity = nil
        }
        guard context.identity != nil || policy == .optional else { throw APIError.unauthorized }
        try checkOrigin(of: request, context.identity)
        var response = try await next(request, context)
        if let session = context.identity?.session {
            try await rotate(session, request, context, &response)
        }
        return response
    }

    private func rotate(
        _ session: UserSession, _ request: Request, _ context: APIContext, _ response: inout Response
    ) async throws {
        guard response.headers[.setCookie] == nil else { return }
        let sessions = authenticator.stores.sessions
        let agent = String((request.headers[.userAgent] ?? "").prefix(255))
        guard let token = try await sessions.rotateIfDue(session, userAgent: agent, clientIP: context.clientIP) else {
            return
        }
        authenticator.credentials.removeAll()
        var next = session
        next.isSeen = true
        next.rotatedAt = .now
        SessionCookies(authenticator.options).set(token, nextRotation: sessions.nextRotation(of: next), on: &response)
    }

    /// Refuses changes that another site's page sends with the visitor's cookie.
    private func checkOrigin(of request: Request, _ identity: Identity?) throws {
        guard identity?.session != nil else { return }
        try OriginRule(options: authenticator.options).check(request)
    }
}

/// Which sites may send changes with a browser's cookies.
struct OriginRule {
    let options: ServerOptions

    /// - Throws: ``APIError`` 403 when a change comes from another origin than this server.
    func check(_ request: Request) throws {
        if ![.get, .head, .options].contains(request.method) { try checkOrigin(of: request) }
    }

    /// - Throws: ``APIError`` 403 when the request comes from another origin than this server.
    func checkOrigin(of request: Request) throws {
        guard let origin = request.headers[.origin] else { return }
        let host = origin.firstRange(of: "://").map { String(origin[$0.upperBound...]) } ?? origin
        if host == request.head.authority || options.trustedOrigins.contains(where: { $0 == host || $0 == origin }) {
            return
        }
        if options.rootURL.hasPrefix(origin + "/") { return }
        throw APIError(.forbidden, "origin not allowed")
    }
}
