// SPDX-License-Identifier: Apache-2.0
public import FoundationEssentials

/// The fields of a data source that a user sets, without its secrets.
public struct DataSourceFields: Sendable, Equatable {
    /// The name, unique in the organisation.
    public var name: String
    /// The plugin's id.
    public var type: String
    /// `proxy` or `direct`.
    public var access = "proxy"
    /// Where the source is.
    public var url = ""
    /// The user at the source.
    public var user = ""
    /// The database at the source.
    public var database = ""
    /// Whether basic authentication is used.
    public var basicAuth = false
    /// The user of basic authentication.
    public var basicAuthUser = ""
    /// Whether browsers send their cookies to a source of `direct` access.
    public var withCredentials = false
    /// Whether this is the organisation's default source; setting it unsets the one before.
    public var isDefault = false
    /// The version of the plugin's own API, usually empty.
    public var apiVersion = ""
    /// A JSON object as text; the store keeps it as it is.
    public var jsonData = "{}"

    /// Describes a data source with defaults.
    public init(name: String, type: String) {
        self.name = name
        self.type = type
    }
}

/// A stored data source.
///
/// Of its secrets only the names show; ``DataSourceStore/secrets(of:)`` decrypts them.
public struct DataSource: Sendable, Equatable {
    /// The numeric id, never used again.
    public var id: Int64
    /// The uid, unique in the organisation.
    public var uid: String
    /// The organisation.
    public var orgID: Int64
    /// Counts changes, from 1; an update may insist on the one that it read.
    public var version: Int
    /// What a user sets.
    public var fields: DataSourceFields
    /// Whether only provisioning may change it.
    public var isReadOnly: Bool
    /// The names of the secrets that are set, sorted.
    public var secureFieldNames: [String]
    /// When it was made.
    public var created: Date
    /// When it was last changed; a change replaces the plugin's instance.
    public var updated: Date
}

/// How a change of a data source treats what the caller may not know.
public struct DataSourceUpdate: Sendable {
    /// The new fields.
    public var fields: DataSourceFields
    /// A new uid; nil keeps it.
    public var uid: String?
    /// Secrets to set; those not named stay, an empty text is a value.
    public var secrets: [String: Secret] = [:]
    /// Whether secrets that are not named are removed, as provisioning does.
    public var replacesAllSecrets = false
    /// The version that the caller read; nil to overwrite whatever is there.
    public var expectedVersion: Int?
    /// Whether the caller is provisioning, which may change read-only sources.
    public var isProvisioning = false
    /// Whether the source is read-only afterwards; nil keeps that.
    public var isReadOnly: Bool?

    /// Describes a change.
    public init(fields: DataSourceFields) {
        self.fields = fields
    }
}

/// How to name one data source of an organisation.
public enum DataSourceKey: Sendable, Equatable {
    case id(Int64)
    case uid(String)
    case name(String)
}
