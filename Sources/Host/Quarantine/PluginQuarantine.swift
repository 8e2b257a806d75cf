// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// Why a plugin that was trusted in the server's own process runs in one of its own.
///
/// It stays there until an administrator releases it, or another build of its library is installed.
public struct PluginQuarantine: Sendable, Equatable {
    /// What it did.
    public enum Cause: String, Sendable, CaseIterable {
        /// Its code crashed the server, which began anew.
        case crash
        /// The server crashed three times within ten minutes, and no plugin was found to be the cause.
        case unexplainedCrashes = "unexplained-crashes"
        /// Three of its calls within ten minutes did not end.
        case hang
        /// It kept memory of the server after all of its calls had ended.
        case memory
    }

    /// What it did.
    public var cause: Cause
    /// The facts, for a person: a sentence without a full stop.
    public var reason: String
    /// The version that did it, as its plugin.json said.
    public var version: String
    /// When it did it.
    public var since: Timestamp
    /// The digest of the library that did it, in hexadecimal digits.
    public var digest: String

    /// Describes what a build of a plugin did.
    public init(cause: Cause, reason: String, version: String, since: Timestamp, digest: String) {
        self.cause = cause
        self.reason = reason
        self.version = version
        self.since = since
        self.digest = digest
    }

    /// Reads what ``encoded`` wrote; nil for anything else.
    public init?(encoded bytes: [UInt8]) {
        guard let json = try? JSONValue(parsing: bytes),
            let cause = json["cause"]?.string.flatMap(Cause.init(rawValue:)),
            let reason = json["reason"]?.string, let version = json["version"]?.string,
            let digest = json["digest"]?.string, let since = json["since"]?.int
        else { return nil }
        self.init(
            cause: cause, reason: reason, version: version, since: Timestamp(milliseconds: Int64(since)),
            digest: digest)
    }

    /// The form in which it is kept.
    public var encoded: [UInt8] {
        let object: JSONValue = [
            "cause": .string(cause.rawValue), "reason": .string(reason), "version": .string(version),
            "digest": .string(digest), "since": .integer(since.nanoseconds / 1_000_000),
        ]
        return Array(object.encoded().utf8)
    }

    /// The scope of the key-value store that has the quarantined plugins, by id.
    public static let scope = "plugins.quarantine"
}
