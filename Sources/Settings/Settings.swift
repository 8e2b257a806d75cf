// SPDX-License-Identifier: Apache-2.0

/// The server's settings: texts by section and key, merged from all sources and expanded.
///
/// Sources, later ones win: `conf/defaults.ini`, `cfg:default.…` arguments, the file of `--config` or `conf/custom.ini`,
/// the environment (`GF_SECTION_KEY`), `cfg:…` arguments. The keys of `defaults.ini` are the known ones.
public struct Settings: Sendable {
    /// One value and where it was set.
    struct Entry: Sendable, Equatable {
        var value: String
        var origin: SettingsOrigin
        /// A value that was read from the file of a `__FILE` variable is taken as it is.
        var isLiteral = false
    }

    /// The folder that relative paths start from; holds `conf/defaults.ini`.
    public let homePath: String
    /// The files that were read, in their order.
    public let configPaths: [String]
    /// What is odd: unknown keys, values cut at a comment sign, variables that are not set.
    public let warnings: [SettingsWarning]
    let entries: [String: [String: Entry]]
    /// `GF_…` variables that fit no known key; open sections are looked up here when they are asked for.
    let openVariables: [String: String]

    /// The value of a key, or an empty text when it is not set.
    ///
    /// - Parameter section: Empty for the keys before the first section.
    public func string(_ section: String, _ key: String) -> String {
        if let entry = entries[section]?[key], !isOverridden(section, key) { return entry.value }
        return openVariable(section, key) ?? ""
    }

    /// All keys of a section with their values.
    ///
    /// An open section, such as `plugin.<id>`, includes the variables `GF_PLUGIN_<ID>_<KEY>`, their keys in lower case.
    public func section(_ name: String) -> [String: String] {
        var values = (entries[name] ?? [:]).mapValues(\.value)
        guard OpenSections.contains(name) else { return values }
        let prefix = EnvironmentName.prefix(section: name)
        for (variable, value) in openVariables where variable.hasPrefix(prefix) && variable.count > prefix.count {
            let rest = String(variable.dropFirst(prefix.count))
            let key = values.keys.first { EnvironmentName.part($0) == rest } ?? rest.lowercased()
            values[key] = value
        }
        return values
    }

    /// The names of all sections, sorted; without the keys before the first section.
    public var sectionNames: [String] { entries.keys.filter { !$0.isEmpty }.sorted() }

    /// Where a value was set; nil when it is not.
    public func origin(_ section: String, _ key: String) -> SettingsOrigin? {
        entries[section]?[key]?.origin
    }

    private func isOverridden(_ section: String, _ key: String) -> Bool {
        guard OpenSections.contains(section), case .commandLine? = entries[section]?[key]?.origin else {
            return openVariable(section, key) != nil
        }
        return false
    }

    private func openVariable(_ section: String, _ key: String) -> String? {
        OpenSections.contains(section) ? openVariables[EnvironmentName.variable(section: section, key: key)] : nil
    }
}

/// Sections that take any key.
enum OpenSections {
    private static let names: Set<String> = ["feature_toggles", "server.custom_response_headers"]
    private static let prefixes = ["plugin.", "auth."]

    static func contains(_ section: String) -> Bool {
        names.contains(section) || prefixes.contains { section.hasPrefix($0) && section.count > $0.count }
    }

    /// Whether a variable may belong to a section that is not known by name.
    static func mayOwn(variable: String) -> Bool {
        ["GF_PLUGIN_", "GF_AUTH_", "GF_FEATURE_TOGGLES_", "GF_SERVER_CUSTOM_RESPONSE_HEADERS_"].contains {
            variable.hasPrefix($0)
        }
    }
}

/// How sections and keys are named in the environment.
enum EnvironmentName {
    static func part(_ name: String) -> String {
        String(name.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
    }

    static func prefix(section: String) -> String {
        "GF_\(section.isEmpty ? "DEFAULT" : part(section))_"
    }

    static func variable(section: String, key: String) -> String {
        prefix(section: section) + part(key)
    }
}

extension Settings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Where settings came from and not what they are, as many of them are secrets.
    public var description: String { "settings of \(homePath)" }
    /// As ``description``: whatever holds settings may be printed.
    public var debugDescription: String { description }
    /// A mirror without children.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
