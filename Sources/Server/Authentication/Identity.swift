// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Storage

/// Who sends a request, in which organisation and with which rights.
struct Identity: Sendable, Equatable {
    /// nil for an anonymous visitor.
    var user: User?
    /// The organisation that the request works in.
    var orgID: Int64
    var role: OrgRole
    /// The session that carries the request; nil for basic authentication.
    var session: UserSession?

    var login: String { user?.login ?? "" }
    var isServerAdmin: Bool { user?.isAdmin ?? false }

    /// What plugins learn about the caller.
    var principal: Principal? {
        guard let user else { return nil }
        return Principal(orgID: orgID, login: user.login, name: user.name, email: user.email, role: role.rawValue)
    }

    /// - Throws: ``APIError`` 403 when the role is below; the permissions are what the message names.
    func require(_ role: OrgRole, _ permissions: String) throws {
        guard self.role >= role || isServerAdmin else { throw APIError.accessDenied(permissions) }
    }

    /// - Throws: ``APIError`` 403 for anybody but a server administrator.
    func requireServerAdmin(_ permissions: String) throws {
        guard isServerAdmin else { throw APIError.accessDenied(permissions) }
    }
}
