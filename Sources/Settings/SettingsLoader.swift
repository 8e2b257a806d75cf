// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// What the command line says about settings.
    public struct Options: Sendable {
        /// `--homepath`; nil for `GF_PATHS_HOME`, else the working directory.
        public var homePath: String?
        /// `--config`; nil for `GF_PATHS_CONFIG`, else `conf/custom.ini` in the home folder, if it exists.
        public var configPath: String?
        /// Arguments of the form `cfg:section.key=value` or `cfg:default.section.key=value`.
        public var overrides: [String]

        /// Describes a command line.
        public init(homePath: String? = nil, configPath: String? = nil, overrides: [String] = []) {
            self.homePath = homePath
            self.configPath = configPath
            self.overrides = overrides
        }
    }

    /// Loads the settings from all sources.
    ///
    /// An empty value in a file or variable does not replace the value before it; a `cfg:` argument does.
    ///
    /// - Throws: ``SettingsError`` with file and line, variable or argument.
    public static func load(_ options: Options, from environment: SettingsEnvironment = .process) throws -> Settings {
        var loader = SettingsLoader(environment: environment, options: options)
        return try loader.load()
    }
}

/// Merges the sources, in their order.
struct SettingsLoader {
    let environment: SettingsEnvironment
    let options: Settings.Options
    private var entries: [String: [String: Settings.Entry]] = [:]
    private var known: [String: Set<String>] = [:]
    private var warnings: [SettingsWarning] = []
    private var openVariables: [String: String] = [:]

    init(environment: SettingsEnvironment, options: Settings.Options) {
        self.environment = environment
        self.options = options
    }

    mutating func load() throws -> Settings {
        let variables = try variablesWithFiles()
        let home = options.homePath ?? nonEmpty(environment.variables["GF_PATHS_HOME"]) ?? "."
        let defaultsPath = Self.path(home, "conf/defaults.ini")
        guard let defaults = try environment.readFile(defaultsPath) else {
            throw SettingsError(
                .fileUnreadable,
                "settings file '\(defaultsPath)' does not exist; name the folder that holds conf/ with --homepath")
        }
        let overrides = try options.overrides.map(Override.init)
        try merge(INIFile(defaults, path: defaultsPath), isDefaults: true)
        for override in overrides where override.isDefault { apply(override) }
        var paths = [defaultsPath]
        if let (path, content) = try configFile(home: home) {
            try merge(INIFile(content, path: path), isDefaults: false)
            paths.append(path)
        }
        applyEnvironment(variables)
        for override in overrides where !override.isDefault { apply(override) }

        var expander = SettingsExpander(entries: entries, environment: environment)
        let expanded = try expander.expanded()
        return Settings(
            homePath: home, configPaths: paths, warnings: warnings + expander.warnings, entries: expanded,
            openVariables: openVariables)
    }

    /// Joins a path to the home folder unless it is absolute.
    static func path(_ home: String, _ path: String) -> String {
        if path.hasPrefix("/") || home.isEmpty || home == "." { return path }
        return home.hasSuffix("/") ? home + path : "\(home)/\(path)"
    }

    private func configFile(home: String) throws -> (String, [UInt8])? {
        if let path = options.configPath ?? nonEmpty(environment.variables["GF_PATHS_CONFIG"]) {
            if let content = try environment.readFile(path) { return (path, content) }
            // The container's path is set always, also when no file was put there.
            guard options.configPath != nil else { return nil }
            throw SettingsError(
                .fileUnreadable, "settings file '\(path)' does not exist; correct --config or leave it out")
        }
        let path = Self.path(home, "conf/custom.ini")
        return try environment.readFile(path).map { (path, $0) }
    }

    private mutating func merge(_ file: INIFile, isDefaults: Bool) throws {
        warnings += file.warnings
        if isDefaults {
            for section in file.sections.union([""]) { known[section] = [] }
        }
        for item in file.assignments {
            let origin = SettingsOrigin.file(path: file.path, line: item.line)
            if isDefaults {
                known[item.section, default: []].insert(item.key)
            } else {
                warnIfUnknown(item.section, item.key, origin)
            }
            if item.value.isEmpty, entries[item.section]?[item.key] != nil { continue }
            entries[item.section, default: [:]][item.key] = Settings.Entry(value: item.value, origin: origin)
        }
    }

    private mutating func apply(_ override: Override) {
        let origin = SettingsOrigin.commandLine(override.name)
        warnIfUnknown(override.section, override.key, origin)
        entries[override.section, default: [:]][override.key] = Settings.Entry(value: override.value, origin: origin)
    }

    private mutating func warnIfUnknown(_ section: String, _ key: String, _ origin: SettingsOrigin) {
        guard !OpenSections.contains(section) else { return }
        let place = section.isEmpty ? "the keys before the first section" : "[\(section)]"
        let message: String
        if let keys = known[section] {
            guard !keys.contains(key) else { return }
            if let nearest = NearestName.nearest(to: key, among: keys) {
                message = "'\(key)' is not a key of \(place) and has no effect; did you mean '\(nearest)'?"
            } else if let other = sections(with: key).first {
                message = "'\(key)' is not a key of \(place) and has no effect; it is one of [\(other)]"
            } else {
                message = "'\(key)' is not a key of \(place) and has no effect; remove it or see conf/defaults.ini"
            }
        } else if let nearest = NearestName.nearest(to: section, among: known.keys) {
            message = "'\(key)' has no effect: section [\(section)] is unknown; did you mean [\(nearest)]?"
        } else {
            message = "'\(key)' has no effect: section [\(section)] is unknown; remove it or see conf/defaults.ini"
        }
        warnings.append(SettingsWarning(origin: origin, message: message))
    }

    private func sections(with key: String) -> [String] {
        known.filter { !$0.key.isEmpty && $0.value.contains(key) }.keys.sorted()
    }

    private func nonEmpty(_ text: String?) -> String? {
        text.flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension SettingsLoader {
    /// A variable's value, and whether it came from a file.
    private struct Variable {
        var value: String
        var isLiteral: Bool
    }

    /// The `GF_` variables, with those that name a file replaced by its trimmed content.
    private func variablesWithFiles() throws -> [String: Variable] {
        var variables: [String: Variable] = [:]
        for (name, value) in environment.variables where name.hasPrefix("GF_") && !value.isEmpty {
            guard name.hasSuffix("__FILE") else {
                variables[name] = Variable(value: value, isLiteral: false)
                continue
            }
            let target = String(name.dropLast("__FILE".count))
            guard nonEmpty(environment.variables[target]) == nil else {
                throw SettingsError(
                    .conflictingVariables,
                    "environment variables \(target) and \(name) are both set; keep only one of them")
            }
            guard let content = try environment.readFile(value) else {
                throw SettingsError(
                    .fileUnreadable,
                    "environment variable \(name): the file '\(value)' does not exist; correct the path")
            }
            variables[target] = Variable(value: String(decoding: content, as: UTF8.self).trimmed, isLiteral: true)
        }
        return variables
    }

    private mutating func applyEnvironment(_ variables: [String: Variable]) {
        // They say where files are, or are read by other programs of a container.
        var unused = variables.filter { name, _ in
            !["GF_PATHS_HOME", "GF_PATHS_CONFIG", "GF_VERSION", "GF_UID", "GF_GID"].contains(name)
                && !name.hasPrefix("GF_INSTALL_")
        }
        for (section, keys) in entries {
            for (key, entry) in keys {
                let name = EnvironmentName.variable(section: section, key: key)
                guard let variable = variables[name] else { continue }
                unused[name] = nil
                guard !variable.value.isEmpty else { continue }
                var changed = entry
                changed.value = variable.value
                changed.isLiteral = variable.isLiteral
                changed.origin = .environment(name)
                entries[section]?[key] = changed
            }
        }
        let names = Set(
            known.flatMap { section, keys in keys.map { EnvironmentName.variable(section: section, key: $0) } })
        for (name, variable) in unused.sorted(by: { $0.key < $1.key }) {
            if OpenSections.mayOwn(variable: name) {
                openVariables[name] = variable.value
            } else {
                let remedy = NearestName.nearest(to: name, among: names).map { "did you mean \($0)?" } ?? "remove it"
                warnings.append(
                    SettingsWarning(origin: .environment(name), message: "it fits no key and has no effect; \(remedy)"))
            }
        }
    }
}

/// One `cfg:` argument.
private struct Override {
    var section: String
    var key: String
    var value: String
    /// Whether the files of the operator win over it.
    var isDefault: Bool
    /// The argument without its value, for messages.
    var name: String

    init(_ argument: String) throws {
        let prefix = "cfg:"
        guard argument.hasPrefix(prefix), let mark = argument.firstIndex(of: "=") else {
            throw SettingsError(
                .badOverride, "argument '\(argument.prefix(60))': it is not a setting; write cfg:section.key=value")
        }
        name = String(argument[..<mark])
        value = String(argument[argument.index(after: mark)...])
        var path = argument[..<mark].dropFirst(prefix.count)
        isDefault = path.hasPrefix("default.")
        if isDefault { path = path.dropFirst("default.".count) }
        // The section itself may have dots, the key has none.
        if let dot = path.lastIndex(of: ".") {
            section = String(path[..<dot])
            key = String(path[path.index(after: dot)...])
        } else {
            section = ""
            key = String(path)
        }
        guard !key.isEmpty, section.isEmpty == !path.contains(".") else {
            throw SettingsError(
                .badOverride, "argument '\(name)': section or key is missing; write cfg:section.key=value")
        }
    }
}
