// SPDX-License-Identifier: Apache-2.0
import Catalog
import PluginABI

/// What was installed, as a result.
struct InstallReport {
    let outcome: InstallOutcome
    let folder: PluginsFolder
    let isDryRun: Bool

    func show(json: Bool, _ terminal: Terminal) throws {
        guard !json else {
            return try Terminal.write(PluginJSON.text(list))
        }
        for plugin in outcome.plugins {
            let entry = plugin.entry
            let target = "\(folder.path)/\(entry.folder)"
            let text =
                isDryRun
                ? "Would put \(entry.id) v\(entry.version) into \(target)"
                : "Downloaded and extracted \(entry.id) v\(entry.version) zip successfully to \(target)"
            try Terminal.write(ResultLine.good(text, terminal))
        }
    }

    /// The entries of the lock file, each with its id and the version before.
    var list: [JSONValue] {
        outcome.plugins.map { plugin in
            var object: JSONObject = ["id": .string(plugin.entry.id)]
            for (key, value) in plugin.entry.json.object ?? [:] { object[key] = value }
            object["before"] = plugin.before.map { .string($0) } ?? .null
            return .object(object)
        }
    }
}

/// What bringing a folder to a lock file did, as a result.
struct LockedReport {
    let outcome: LockedOutcome
    let folder: PluginsFolder
    let isDryRun: Bool

    var isChange: Bool { !outcome.installed.plugins.isEmpty || !outcome.removed.isEmpty }

    func show(json: Bool, _ terminal: Terminal) throws {
        for plugin in outcome.extra {
            let remedy =
                plugin.isLinked
                ? "it is a link: remove it by hand" : "remove it with --prune, or take a lock file that has it"
            Terminal.report(
                "warning", "plugin '\(plugin.facts.id)' \(plugin.facts.version) is not in the lock file; \(remedy)")
        }
        let installed = InstallReport(outcome: outcome.installed, folder: folder, isDryRun: isDryRun)
        guard !json else {
            func ids(_ plugins: [InstalledPlugin]) -> JSONValue { .array(plugins.map { .string($0.facts.id) }) }
            return try Terminal.write(
                PluginJSON.text(
                    installed.list, more: ["removed": ids(outcome.removed), "extra": ids(outcome.extra)]))
        }
        try installed.show(json: false, terminal)
        for plugin in outcome.removed {
            let text = "\(isDryRun ? "Would remove" : "Removed") \(plugin.facts.id) v\(plugin.facts.version)"
            try Terminal.write(ResultLine.good(text, terminal))
        }
        if !isChange { try Terminal.write(ResultLine.good("Every plugin is as the lock file says", terminal)) }
    }
}

/// The JSON of the plugin commands: `{"schemaVersion": 1, "plugins": […]}`.
enum PluginJSON {
    static let schemaVersion: Int64 = 1

    /// - Parameter more: Further members of the document.
    static func text(_ plugins: [JSONValue], more: JSONObject = [:]) -> String {
        var object: JSONObject = ["schemaVersion": .integer(schemaVersion), "plugins": .array(plugins)]
        for (key, value) in more { object[key] = value }
        return JSONText.indented(.object(object)) + "\n"
    }
}
