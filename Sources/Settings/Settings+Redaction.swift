// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// All settings by section and key with secrets hidden, as `GET /api/admin/settings` shows them.
    ///
    /// The keys before the first section are in `DEFAULT`.
    public func redacted() -> [String: [String: String]] {
        var dump: [String: [String: String]] = [:]
        for name in entries.keys {
            dump[name.isEmpty ? "DEFAULT" : name] = Dictionary(
                uniqueKeysWithValues: section(name).map { ($0, SettingsRedaction.shown(key: $0, value: $1)) })
        }
        return dump
    }
}

/// Hides what must not show.
enum SettingsRedaction {
    static let mask = "*********"

    /// Names that hold one of these are secret.
    private static let words = ["password", "secret", "token", "key", "pass", "credential"]

    /// Whether a key's name says that its value is secret.
    static func isSecret(key: String) -> Bool {
        let name = key.lowercased()
        return words.contains { name.contains($0) }
    }

    /// The value, or what to show instead: a mask for secrets, URLs without user information, and connection texts
    /// without their passwords.
    static func shown(key: String, value: String) -> String {
        guard !value.isEmpty else { return value }
        guard !isSecret(key: key) else { return mask }
        return maskedPasswordPairs(maskedUserInformation(value))
    }

    /// `scheme://user:password@host` becomes `scheme://*********@host`.
    private static func maskedUserInformation(_ value: String) -> String {
        guard let mark = value.firstRange(of: "://") else { return value }
        let start = value.index(mark, offsetBy: 3)
        let end = value[start...].firstIndex { "/?# ".contains($0) } ?? value.endIndex
        // The last @ counts: a password may hold one, also with a slash behind it.
        guard let at = value[start..<end].lastIndex(of: "@") ?? value[start...].lastIndex(of: "@") else { return value }
        return value[..<start] + mask + maskedUserInformation(String(value[at...]))
    }

    /// `addr=host,password=x` becomes `addr=host,password=*********`.
    private static func maskedPasswordPairs(_ value: String) -> String {
        var result = ""
        var rest = value[...]
        while let mark = rest.firstIndex(of: "=") {
            let name = rest[..<mark].lowercased()
            let valueStart = rest.index(after: mark)
            let end = rest[valueStart...].firstIndex { ",;& ".contains($0) } ?? rest.endIndex
            result += rest[..<valueStart]
            let isSecret = words.contains { name.hasSuffix($0) } && valueStart < end
            result += isSecret ? mask[...] : rest[valueStart..<end]
            rest = rest[end...]
        }
        return result + rest
    }
}
