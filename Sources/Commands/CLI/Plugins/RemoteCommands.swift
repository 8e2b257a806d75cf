// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI

/// `grafana-cli plugins list-remote`.
struct ListRemoteCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "list-remote", abstract: "Lists the plugins of the catalogues.")

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Write the result as JSON.")
    var json = false

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let plugins = try await place.with { session in
            try await session.sources.plugins { Terminal.report("warning", $0.description) }
        }
        guard !json else {
            return try Terminal.write(PluginJSON.text(plugins.map { $0.json(for: place.configuration.target) }))
        }
        for plugin in plugins {
            guard let version = plugin.newest(for: place.configuration.target) else { continue }
            try Terminal.write(TerminalText.line("id: \(plugin.id) version: \(version)") + "\n")
        }
    }
}

/// `grafana-cli plugins list-versions`.
struct ListVersionsCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "list-versions", abstract: "Lists the versions of a plugin, newest first.")

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String?

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Write the result as JSON.")
    var json = false

    func validate() throws {
        if id == nil { throw ValidationError("please specify plugin to list versions for") }
    }

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let id = id ?? ""
        let versions = try await place.with { try await $0.sources.versions(of: id) }
        guard !json else {
            let plugin = ListedPlugin(id: id, versions: versions)
            return try Terminal.write(PluginJSON.text([plugin.json(for: place.configuration.target)]))
        }
        for version in versions { try Terminal.write(TerminalText.line(version.version) + "\n") }
    }
}

/// `grafana-cli plugins search`.
struct SearchCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Finds plugins in the catalogues by words of their id, name or description.")

    @Argument(help: "All of these words must occur; case does not matter.")
    var words: [String]

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Write the result as JSON.")
    var json = false

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let wanted = words.map { $0.lowercased() }
        let all = try await place.with { session in
            try await session.sources.plugins { Terminal.report("warning", $0.description) }
        }
        let found = all.filter { plugin in
            let text = ([plugin.id, plugin.name, plugin.description, plugin.author, plugin.category] + plugin.keywords)
                .joined(separator: "\n").lowercased()
            return wanted.allSatisfy { text.contains($0) }
        }
        guard !json else {
            return try Terminal.write(PluginJSON.text(found.map { $0.json(for: place.configuration.target) }))
        }
        let rows = found.map { plugin in
            [plugin.id, plugin.newest(for: place.configuration.target) ?? "not for this server", plugin.description]
        }
        guard !rows.isEmpty else { return Terminal.report("notice", "no plugin has all of these words") }
        try Terminal.write(Columns.text(["id", "version", "description"], rows))
    }
}

/// `grafana-cli plugins info`.
struct InfoCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Shows what is installed of a plugin and what the catalogues have.")

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Write the result as JSON.")
    var json = false

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let row = try PluginRow.all(in: place.folder).first { $0.id == id }
        var versions: [ListedVersion] = []
        do {
            versions = try await place.with { try await $0.sources.versions(of: id) }
        } catch let error as CatalogError where row != nil {
            // What is installed can be told without a catalogue.
            Terminal.report("warning", error.description)
        }
        let listed = ListedPlugin(id: id, versions: versions)
        guard !json else {
            var object = listed.json(for: place.configuration.target).object ?? [:]
            object["installed"] = row?.json ?? .null
            return try Terminal.write(PluginJSON.text([.object(object)]))
        }
        for (name, value) in facts(row, listed, place) where !value.isEmpty {
            try Terminal.write(TerminalText.padded(name, to: 12, atEnd: false) + TerminalText.line(value) + "\n")
        }
    }

    private func facts(_ row: PluginRow?, _ listed: ListedPlugin, _ place: PluginWorkplace) -> [(String, String)] {
        let versions = listed.versions.map(\.version)
        let entry = row?.entry
        return [
            ("id", id), ("name", row?.plugin.facts.name ?? ""), ("type", row?.plugin.facts.type ?? ""),
            ("description", row?.plugin.facts.description ?? ""), ("author", row?.plugin.facts.author ?? ""),
            ("installed", row.map { "\($0.version) in \($0.plugin.folder)" } ?? "no"),
            ("pinned", entry?.isPinned == true ? "yes" : ""), ("kept", row?.kept ?? ""),
            ("signature", entry.map { ProgressText.words($0.publisher) } ?? ""),
            ("source", entry.map { "\($0.source.kind) \($0.source.location)" } ?? ""),
            ("permissions", entry?.permissions.joined(separator: ", ") ?? ""),
            ("newest", listed.newest(for: place.configuration.target) ?? ""),
            ("versions", versions.prefix(10).joined(separator: ", ") + (versions.count > 10 ? ", …" : "")),
        ]
    }
}

extension ListedPlugin {
    /// What the plugin commands write as JSON.
    func json(for target: InstallTarget) -> JSONValue {
        var object: JSONObject = [
            "id": .string(id), "name": .string(name), "description": .string(description), "author": .string(author),
            "category": .string(category), "keywords": .array(keywords.map { .string($0) }),
        ]
        object["newest"] = newest(for: target).map { .string($0) } ?? .null
        object["versions"] = .array(
            versions.map { version in
                [
                    "version": .string(version.version), "compatible": .bool(version.isCompatible),
                    "machines": .array(version.builds.keys.sorted().map { .string($0) }),
                ]
            })
        return .object(object)
    }
}

/// Columns of text for a terminal.
enum Columns {
    static func text(_ titles: [String], _ rows: [[String]]) -> String {
        let all = [titles] + rows.map { $0.map(TerminalText.line) }
        let widths = titles.indices.map { column in all.map { TerminalText.width($0[column]) }.max() ?? 0 }
        let lines = all.map { row in
            zip(row, widths).map { TerminalText.padded($0, to: $1, atEnd: false) }.joined(separator: "  ")
        }
        return lines.map { line in
            var line = line[...]
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
