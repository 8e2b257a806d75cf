// SPDX-License-Identifier: Apache-2.0

/// Replaces `$__env{NAME}`, `${NAME}`, `$__file{/path}` and `%(key)s` in values.
///
/// What is put in is not looked at again, so that a password from the environment may hold any character.
struct SettingsExpander {
    let entries: [String: [String: Settings.Entry]]
    let environment: SettingsEnvironment
    private(set) var warnings: [SettingsWarning] = []
    private var done: [String: [String: String]] = [:]

    init(entries: [String: [String: Settings.Entry]], environment: SettingsEnvironment) {
        self.entries = entries
        self.environment = environment
    }

    /// All entries with their values expanded.
    mutating func expanded() throws -> [String: [String: Settings.Entry]] {
        var result = entries
        for section in entries.keys.sorted() {
            for key in (entries[section] ?? [:]).keys.sorted() {
                result[section]?[key]?.value = try value(section, key, path: [])
            }
        }
        return result
    }

    /// The expanded value of a key; `path` are the keys on the way to it, to find circles.
    private mutating func value(_ section: String, _ key: String, path: [String]) throws -> String {
        if let known = done[section]?[key] { return known }
        guard let entry = entries[section]?[key] else { return "" }
        guard !entry.isLiteral else { return entry.value }
        guard !path.contains(key) else {
            throw SettingsError(
                .expansion,
                "\(entry.origin): '\(key)' refers to itself by \((path + [key]).joined(separator: " → ")); break the circle"
            )
        }
        let text = try expand(entry, section, key, path: path + [key])
        done[section, default: [:]][key] = text
        return text
    }

    private mutating func expand(
        _ entry: Settings.Entry, _ section: String, _ key: String, path: [String]
    ) throws -> String {
        var result = ""
        var rest = entry.value[...]
        while let mark = rest.firstIndex(where: { $0 == "$" || $0 == "%" }) {
            result += rest[..<mark]
            rest = rest[mark...]
            if let (text, end) = try replacement(at: rest, entry, section, path: path) {
                result += text
                rest = rest[end...]
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result + rest
    }

    /// The text for the reference that `rest` begins with, and its end; nil when it begins with none.
    private mutating func replacement(
        at rest: Substring, _ entry: Settings.Entry, _ section: String, path: [String]
    ) throws -> (String, String.Index)? {
        if let (name, end) = enclosed(rest, "$__env{", "}") ?? enclosed(rest, "${", "}") {
            return (variable(name.trimmed, entry), end)
        }
        if let (file, end) = enclosed(rest, "$__file{", "}") {
            guard let content = try environment.readFile(file.trimmed) else {
                throw SettingsError(
                    .expansion,
                    "\(entry.origin): the file '\(file.trimmed)' of $__file{} does not exist; correct the path")
            }
            return (String(decoding: content, as: UTF8.self).trimmed, end)
        }
        if enclosed(rest, "$__vault{", "}") != nil {
            throw SettingsError(
                .expansion, "\(entry.origin): $__vault{} is not supported; use $__file{} or $__env{}")
        }
        guard let (key, end) = enclosed(rest, "%(", ")s") else { return nil }
        for place in [section, ""] where entries[place]?[key] != nil {
            return (try value(place, key, path: path), end)
        }
        warnings.append(
            SettingsWarning(
                origin: entry.origin,
                message: "%(\(key))s names no key of its section and stays as it is; correct the name"))
        return nil
    }

    private mutating func variable(_ name: String, _ entry: Settings.Entry) -> String {
        if let value = environment.variables[name], !value.isEmpty { return value }
        if name == "HOSTNAME" { return environment.hostName }
        warnings.append(
            SettingsWarning(
                origin: entry.origin, message: "the environment variable \(name) is not set and counts as empty; set it"
            ))
        return ""
    }

    private func enclosed(_ text: Substring, _ open: String, _ close: String) -> (String, String.Index)? {
        guard text.hasPrefix(open) else { return nil }
        let body = text.dropFirst(open.count)
        guard let end = body.firstRange(of: close) else { return nil }
        return (String(body[..<end]), body.index(end, offsetBy: close.count))
    }
}
