// SPDX-License-Identifier: Apache-2.0

/// One step of the schema.
///
/// Steps are only ever appended: a released one never changes.
struct Migration: Sendable {
    /// A name that is never used again, such as `0003-sessions`.
    var id: String
    /// The statements in the database's own words.
    var statements: @Sendable (any Dialect) -> [String]
}

extension Migration {
    /// All steps, in their order.
    static let all: [Migration] = [
        .organisationsAndUsers, .sessions, .dataKeys, .dataSources, .pluginSettings, .keyValues, .desiredPlugins,
        .pluginTrust,
    ]
}
