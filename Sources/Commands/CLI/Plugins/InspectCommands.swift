// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI

/// `grafana-cli plugins verify`.
struct VerifyPluginsCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Judges the signatures of installed plugins anew, and whether their files are those that were installed.",
        discussion: "Exit code 77 when a plugin should not run, 1 when one is not recorded.")

    @Argument(help: ArgumentHelp("The plugins; all of them when none is named.", valueName: "id"))
    var ids: [String] = []

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Write the result as JSON.")
    var json = false

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let installed = try place.folder.installed()
        for id in ids where !installed.contains(where: { $0.facts.id == id }) {
            throw CatalogError(
                .notInstalled, "plugin does not exist: '\(id)' is not in '\(place.folder.path)'",
                remedy: "see what is there: grafana-cli plugins list")
        }
        let chosen = ids.isEmpty ? installed : installed.filter { ids.contains($0.facts.id) }
        let found = try await place.with { session in try chosen.map(session.installer.inspect) }
        try InspectionReport(found: found).show(json: json)
        if found.contains(where: { $0.status == .error }) { throw ExitCode(ExitStatus.refused.rawValue) }
        if found.contains(where: { $0.status == .warning }) { throw ExitCode(ExitStatus.findings.rawValue) }
    }
}

/// `grafana-cli plugins doctor`.
struct PluginsDoctorCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract:
            "Finds what is wrong with the plugins folder: leftovers, missing plugins, wrong builds, changed files.",
        discussion: "Exit code 1 when anything is.")

    @OptionGroup(title: "Plugins") var options: PluginOptions

    @Flag(help: "Write the result as JSON.")
    var json = false

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let found = try await place.with { session in
            try session.installer.inspectFolder() + place.folder.installed().map(session.installer.inspect)
        }
        try InspectionReport(found: found).show(json: json)
        if found.contains(where: { $0.status != .ok }) { throw ExitCode(ExitStatus.findings.rawValue) }
    }
}

/// Findings as a table or as JSON.
private struct InspectionReport {
    let found: [PluginInspection]

    func show(json: Bool) throws {
        guard !json else {
            let list = found.map { finding -> JSONValue in
                [
                    "id": .string(finding.id), "status": .string(finding.status.rawValue),
                    "fact": .string(finding.fact),
                    "remedy": .string(finding.remedy),
                ]
            }
            return try Terminal.write(PluginJSON.text(list))
        }
        if found.isEmpty { return try Terminal.write("no installed plugins found\n") }
        let rows = found.map { finding in
            let remedy = finding.remedy.isEmpty ? "" : "; \(finding.remedy)"
            return [finding.status.rawValue, finding.id.isEmpty ? "-" : finding.id, finding.fact + remedy]
        }
        try Terminal.write(Columns.text(["status", "plugin", "finding"], rows))
    }
}
