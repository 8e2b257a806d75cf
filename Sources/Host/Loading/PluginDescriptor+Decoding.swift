// SPDX-License-Identifier: Apache-2.0

import PluginABI

/// What is wrong with a plugin.json, with the key that is wrong.
public struct DescriptorError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `plugin-json-malformed`, `plugin-json-invalid` or `plugin-id-invalid`.
    public var code: PluginRefusal.Code
    /// The path of the key, such as `info.version`; empty when the whole text is wrong.
    public var key = ""
    /// What plugin.json says.
    public var found = ""
    /// What it should say.
    public var expected = ""
    /// The fault in one sentence.
    public var message: String

    /// The fault with both values.
    public var description: String { "\(message) (found: \(found); expected: \(expected)) [\(code)]" }
}

extension PluginDescriptor {
    /// Decodes plugin.json as leniently as Grafana: unknown keys are ignored, missing ones have their default, `null` is
    /// the same as missing, and a key may differ in case.
    ///
    /// - Throws: ``DescriptorError`` for text that is no JSON object, a value of the wrong type, a missing `id` or `type`.
    public init(pluginJSON bytes: [UInt8]) throws {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: bytes)
        } catch {
            throw DescriptorError(
                code: .pluginJSONMalformed, found: "\(error)", expected: "a JSON object",
                message: "plugin.json is not valid JSON")
        }
        guard case .object(let root) = json else {
            throw DescriptorError(
                code: .pluginJSONMalformed, found: DescriptorReader.kind(of: json), expected: "a JSON object",
                message: "plugin.json is not a JSON object")
        }
        try self.init(DescriptorReader(object: root, path: ""), json: json)
    }

    /// Decodes the text of a plugin.json, as a plugin that is linked in carries it.
    ///
    /// - Throws: ``DescriptorError``.
    public init(parsing pluginJSON: String) throws {
        try self.init(pluginJSON: Array(pluginJSON.utf8))
    }

    private init(_ reader: DescriptorReader, json: JSONValue) throws {
        let id = try reader.string("id")
        let typeName = try reader.string("type")
        guard !id.isEmpty, let type = PluginType(rawValue: typeName) else {
            throw DescriptorError(
                code: .pluginJSONInvalid, key: id.isEmpty ? "id" : "type",
                found: "id \"\(id)\", type \"\(typeName)\"",
                expected: "an id and one of the types datasource, panel, app, renderer, secretsmanager",
                message: "plugin.json has no valid id or type")
        }
        self.init(id: id, type: type)
        self.json = json
        try Self.check(id: id)
        try decodeCommon(reader)
        try decodeFlags(reader)
        try decodeNative(reader)
        applySpecialCases()
    }

    /// The id becomes a part of URLs and of folder names.
    private static func check(id: String) throws {
        let isSafe = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isSafe, !id.hasPrefix("."), id.utf8.count <= 190 else {
            throw DescriptorError(
                code: .pluginIDInvalid, key: "id", found: String(id.prefix(200)),
                expected: "letters, digits, '-', '_' and '.', not starting with '.', at most 190 bytes",
                message: "the plugin's id cannot be a part of a URL")
        }
    }

    private mutating func decodeCommon(_ reader: DescriptorReader) throws {
        name = try reader.string("name")
        category = try reader.string("category")
        state = try reader.string("state")
        info = try Information(reader.object("info"))
        dependencies = try Dependencies(reader.object("dependencies"))
        includes = try reader.objects("includes").map(Include.init)
        aliasIDs = try reader.strings("aliasIDs")
    }

    private mutating func decodeFlags(_ reader: DescriptorReader) throws {
        hasBackend = try reader.bool("backend")
        executable = try reader.string("executable")
        hasAlerting = try reader.bool("alerting")
        hasAnnotations = try reader.bool("annotations")
        hasLogs = try reader.bool("logs")
        hasMetrics = try reader.bool("metrics")
        hasTracing = try reader.bool("tracing")
        hasStreaming = try reader.bool("streaming")
        isBuiltIn = try reader.bool("builtIn")
        isHiddenFromList = try reader.bool("hideFromList")
        isAutoEnabled = try reader.bool("autoEnabled")
        isPreloaded = try reader.bool("preload")
        skipsDataQuery = try reader.bool("skipDataQuery")
    }

    /// The keys that Grafana does not know: they describe a shared library.
    private mutating func decodeNative(_ reader: DescriptorReader) throws {
        let library = try reader.string("library")
        self.library = library.isEmpty ? nil : library
        abi = try reader.integer("abi", atMost: Int(UInt32.max))
        let isolation = try reader.string("isolation")
        if !isolation.isEmpty {
            guard let level = Isolation(rawValue: isolation) else {
                let known = Isolation.allCases.map(\.rawValue).joined(separator: ", ")
                throw DescriptorReader.wrong("isolation", found: "\"\(isolation)\"", expected: "one of \(known)")
            }
            self.isolation = level
        }
        let reader = try reader.object("permissions")
        permissions.hosts = try reader.strings("hosts")
        permissions.paths = try reader.strings("paths")
        permissions.env = try reader.strings("env")
        permissions.threads = try reader.integer("threads", atMost: 1024)
    }

    /// What Grafana changes in single plugins, and placeholders that a build left in.
    private mutating func applySpecialCases() {
        if id == "grafana-piechart-panel" { name = "Pie Chart (old)" }
        if id == "grafana-pyroscope-datasource", aliasIDs.isEmpty { aliasIDs = ["phlare"] }
        if id == "debug", aliasIDs.isEmpty { aliasIDs = ["debugX"] }
        if info.version == "%VERSION%" { info.version = "" }
        if info.updated == "%TODAY%" { info.updated = "" }
    }
}

extension PluginDescriptor.Information {
    fileprivate init(_ reader: DescriptorReader) throws {
        version = try reader.string("version")
        updated = try reader.string("updated")
        description = try reader.string("description")
        keywords = try reader.strings("keywords")
        let author = try reader.object("author")
        authorName = try author.string("name")
        authorURL = try author.string("url")
        let logos = try reader.object("logos")
        smallLogo = try logos.string("small")
        largeLogo = try logos.string("large")
        screenshots = try reader.objects("screenshots").map {
            try .init(name: $0.string("name"), path: $0.string("path"))
        }
        links = try reader.objects("links").map { try .init(name: $0.string("name"), url: $0.string("url")) }
    }
}

extension PluginDescriptor.Dependencies {
    fileprivate init(_ reader: DescriptorReader) throws {
        let version = try reader.string("grafanaVersion")
        grafanaVersion = version.isEmpty ? "*" : version
        grafanaDependency = try reader.string("grafanaDependency")
        plugins = try reader.objects("plugins").map {
            try .init(id: $0.string("id"), type: $0.string("type"), name: $0.string("name"))
        }
    }
}

extension PluginDescriptor.Include {
    fileprivate init(_ reader: DescriptorReader) throws {
        type = try reader.string("type")
        name = try reader.string("name")
        path = try reader.string("path")
        uid = try reader.string("uid")
        let role = try reader.string("role")
        self.role = role.isEmpty ? "Viewer" : role
        action = try reader.string("action")
        isInNavigation = try reader.bool("addToNav")
        isDefaultNavigation = try reader.bool("defaultNav")
        icon = try reader.string("icon")
        slug = Self.slug(of: name)
    }

    /// Lower-case letters and digits, every run of other characters as one `-`.
    static func slug(of name: String) -> String {
        name.lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
    }
}
