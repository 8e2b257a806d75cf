// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI

/// `grafana-cli plugins list`.
struct ListCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the installed plugins.", aliases: ["ls"])

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Only those of which a catalogue has a newer version; exit code 1 when there are any.")
    var outdated = false

    @Flag(help: "Write the result as JSON.")
    var json = false

    func perform() async throws {
        let place = try PluginWorkplace(options)
        var rows = try PluginRow.all(in: place.folder)
        if outdated {
            let newest = try await place.with { try await $0.sources.newest(of: rows.map(\.id)) }
            rows = rows.compactMap { row in
                guard let version = newest.versions[row.id], SemanticVersion.isOlder(row.version, than: version) else {
                    return nil
                }
                var row = row
                row.newest = version
                return row
            }
            // "Up to date" is said only when every catalogue was asked.
            if let failure = newest.failures.first, rows.isEmpty { throw failure }
            for failure in newest.failures { Terminal.report("warning", failure.description) }
        }
        try json ? Terminal.write(PluginJSON.text(rows.map(\.json))) : show(rows)
        if outdated, !rows.isEmpty { throw ExitCode(ExitStatus.findings.rawValue) }
    }

    private func show(_ rows: [PluginRow]) throws {
        if outdated {
            if rows.isEmpty { Terminal.report("notice", "every plugin is up to date") }
            for row in rows { try Terminal.write("\(row.id) @ \(row.version) -> \(row.newest ?? "")\n") }
            return
        }
        guard !rows.isEmpty else { return try Terminal.write("no installed plugins found\n") }
        try Terminal.write("installed plugins:\n")
        for row in rows {
            let pin = row.entry?.isPinned == true ? " (pinned)" : ""
            try Terminal.write(TerminalText.line("\(row.id) @ \(row.version)\(pin)") + "\n")
        }
    }
}

/// One installed plugin with what the lock file knows of it.
struct PluginRow: Sendable {
    var id: String
    var version: String
    var plugin: InstalledPlugin
    var entry: LockedPlugin?
    var kept: String?
    var newest: String?

    static func all(in folder: PluginsFolder) throws -> [PluginRow] {
        let lock = try PluginLockFile(of: folder)
        let changes = PluginChanges(folder: folder)
        return try folder.installed().map { plugin in
            let id = plugin.facts.id
            return PluginRow(
                id: id, version: plugin.facts.version, plugin: plugin, entry: lock.plugins[id],
                kept: try changes.kept(id)?.version)
        }
    }

    var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id), "name": .string(plugin.facts.name), "type": .string(plugin.facts.type),
            "version": .string(version), "folder": .string(plugin.folder), "linked": .bool(plugin.isLinked),
            "pinned": .bool(entry?.isPinned ?? false),
        ]
        object["kept"] = kept.map { .string($0) } ?? .null
        object["newest"] = newest.map { .string($0) } ?? .null
        object["lock"] = entry?.json ?? .null
        return .object(object)
    }
}
