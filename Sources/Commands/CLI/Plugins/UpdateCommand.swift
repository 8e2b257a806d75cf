// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI

/// `grafana-cli plugins update`.
struct UpdateCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Brings a plugin, or all with --all, to the newest version that runs here.",
        discussion: "Pinned plugins stay. Exit code 0 also when there is nothing newer.",
        aliases: ["upgrade"])

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String?

    @Flag(help: "Every plugin that is not pinned.")
    var all = false

    @OptionGroup var update: UpdateOptions

    func validate() throws {
        if (id == nil) == !all { throw ValidationError("please specify plugin to update, or give --all") }
        try update.validateForServer()
    }

    func perform() async throws {
        let (id, update) = (id, update)
        try await Interruption.ending { try await Updates(options: update).run(only: id) }
    }
}

/// `grafana-cli plugins update-all`, as Grafana's program has it.
struct UpdateAllCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "update-all", abstract: "The same as update --all.", aliases: ["upgrade-all"])

    @OptionGroup var update: UpdateOptions

    func validate() throws { try update.validateForServer() }

    func perform() async throws {
        let update = update
        try await Interruption.ending { try await Updates(options: update).run(only: nil) }
    }
}

struct UpdateOptions: ParsableArguments {
    @OptionGroup(title: "Plugins") var plugins: PluginOptions
    @OptionGroup(title: "Questions") var consent: ConsentOptions
    @OptionGroup(title: "A running server") var server: PluginServerOptions

    @Flag(help: "Accept that another key signed the plugin than before.")
    var acceptPublisher = false

    @Flag(help: "Do everything except putting plugins in place.")
    var dryRun = false

    @Flag(help: "Write the result as JSON.")
    var json = false

    func validateForServer() throws {
        guard server.url != nil else { return }
        if dryRun || json { throw ValidationError("--dry-run and --json work on a folder; leave --url out.") }
        try plugins.validateForServer()
    }
}

/// The work of both commands.
private struct Updates: Sendable {
    let options: UpdateOptions

    func run(only id: String?) async throws {
        if let url = options.server.url {
            return try await PluginServer.with(options.server, url: url, timeout: options.plugins.timeout) { server in
                var agreed = InstallConsent()
                agreed.acceptsPublisher = options.acceptPublisher
                try await server.update(
                    id, consent: agreed, questions: PluginConsent(options.consent),
                    terminal: Terminal.output(wantsColor: !options.plugins.noColor))
            }
        }
        let place = try PluginWorkplace(options.plugins)
        let claim = try FolderClaim(place.folder)
        let rows = try PluginRow.all(in: place.folder)
        let chosen = try id.map { [try Self.row($0, rows, place.folder)] } ?? rows
        try await place.with { session in try await update(chosen, isAll: id == nil, place, session, claim) }
    }

    private static func row(_ id: String, _ rows: [PluginRow], _ folder: PluginsFolder) throws -> PluginRow {
        guard let row = rows.first(where: { $0.id == id }) else {
            throw CatalogError(
                .notInstalled, "plugin does not exist: '\(id)' is not in '\(folder.path)'",
                remedy: "see what is there: grafana-cli plugins list")
        }
        return row
    }

    private func update(
        _ rows: [PluginRow], isAll: Bool, _ place: PluginWorkplace, _ session: CatalogSession, _ claim: FolderClaim
    ) async throws {
        var outcome = InstallOutcome()
        var failures: [any Error] = []
        for row in rows {
            try Task.checkCancellation()
            do {
                if let plugins = try await update(row, isAll: isAll, place, session, claim) {
                    outcome.plugins += plugins
                }
            } catch let error as CatalogError where isAll {
                // One plugin that fails leaves the others their update.
                Terminal.report("error", error.description)
                failures.append(error)
            }
        }
        if options.json || !outcome.plugins.isEmpty {
            try InstallReport(outcome: outcome, folder: place.folder, isDryRun: options.dryRun)
                .show(json: options.json, place.terminal)
        }
        if !outcome.plugins.isEmpty, !options.dryRun { RestartNotice.show() }
        if let first = failures.first { throw ExitCode(CommandFailure(first).status.rawValue) }
    }

    /// What was put in place; nil when there is nothing newer.
    private func update(
        _ row: PluginRow, isAll: Bool, _ place: PluginWorkplace, _ session: CatalogSession, _ claim: FolderClaim
    ) async throws -> [InstallOutcome.Plugin]? {
        if isAll, row.entry?.isPinned == true || row.plugin.isLinked { return nil }
        let listed: [ListedVersion]
        do {
            listed = try await session.sources.versions(of: row.id)
        } catch let error as CatalogError where isAll && error.code == .pluginNotFound {
            Terminal.report("notice", "plugin '\(row.id)': no catalogue has it; it stays as it is")
            return nil
        }
        let newest = ListedPlugin(id: row.id, versions: listed).newest(for: place.configuration.target)
        guard let newest, SemanticVersion.isOlder(row.version, than: newest) else {
            if !options.json {
                try Terminal.write(ResultLine.good("\(row.id) \(row.version) is up to date", place.terminal))
            }
            return nil
        }
        if isAll { Terminal.writeError("Updating \(row.id)\n") }
        var install = InstallOptions()
        (install.allowsNewPublisher, install.isDryRun) = (options.acceptPublisher, options.dryRun)
        let progress = ProgressText(isChatty: options.plugins.debug)
        defer { progress.finish() }
        let consent = PluginConsent(options.consent)
        let observer = InstallObserver(
            event: progress.show,
            approve: { question in
                progress.finish()
                return try consent.permissions(question)
            })
        return try await session.installer.install(
            .plugin(id: row.id, version: newest), options: install, claim: claim, observer: observer
        ).plugins
    }
}
