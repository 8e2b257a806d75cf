// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// An organisation: the owner of data sources, settings and memberships.
public struct Org: Sendable, Equatable {
    /// The numeric id; the default organisation has 1.
    public var id: Int64
    /// The name, unique.
    public var name: String
    /// When it was made.
    public var created: Date
    /// When it was last changed.
    public var updated: Date
}

/// What a member may do in an organisation.
public enum OrgRole: String, Sendable, CaseIterable, Comparable {
    case none = "None"
    case viewer = "Viewer"
    case editor = "Editor"
    case admin = "Admin"

    /// Orders roles by what they may do.
    public static func < (left: OrgRole, right: OrgRole) -> Bool {
        guard let first = allCases.firstIndex(of: left), let second = allCases.firstIndex(of: right) else {
            return false
        }
        return first < second
    }
}

/// One user's place in one organisation.
public struct OrgMembership: Sendable, Equatable {
    /// The organisation.
    public var orgID: Int64
    /// Its name.
    public var orgName: String
    /// The user.
    public var userID: Int64
    /// What the user may do there.
    public var role: OrgRole
}
