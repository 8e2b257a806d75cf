// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import PluginABI

/// `grafana-cli plugins install`.
struct InstallCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Installs a plugin from a catalogue, a zip archive, a folder or an address.",
        discussion: """
            PLUGIN is ID, ID@VERSION, a path with a slash or the ending .zip, or an address. The running version stays \
            until the new one is fetched, unpacked, checked and its signature judged; then both are exchanged at once.
            """)

    @Argument(
        help: ArgumentHelp("What to install; and its version, as Grafana's program takes it.", valueName: "plugin"))
    var words: [String] = []

    @OptionGroup(title: "Plugins") var options: PluginOptions
    @OptionGroup(title: "Questions") var consent: ConsentOptions
    @OptionGroup(title: "A running server") var server: PluginServerOptions

    @Flag(help: "Install what plugins.lock.json of the plugins folder, or --lock-file, records: exactly that.")
    var locked = false

    @Option(help: "Another plugins.lock.json.")
    var lockFile: String?

    @Flag(help: "Put the plugin in place although the same version is there.")
    var force = false

    @Flag(help: "Allow an older version to take the place of a newer one.")
    var allowDowngrade = false

    @Flag(help: "Accept that another key signed the plugin than before.")
    var acceptPublisher = false

    @Option(help: "The SHA-256 that an archive must have.")
    var sha256: String?

    @Flag(help: "Do everything except putting the plugin in place.")
    var dryRun = false

    @Flag(help: "Write the result as JSON.")
    var json = false

    func validate() throws {
        if words.count > 2 { throw ValidationError("install only supports 2 arguments: plugin and version") }
        if locked || lockFile != nil {
            if !words.isEmpty { throw ValidationError("--locked installs what the lock file records; name no plugin.") }
        } else if words.isEmpty, options.packageURL == nil {
            throw ValidationError("please specify plugin to install")
        }
        if server.url != nil, locked || lockFile != nil || dryRun {
            throw ValidationError("--locked, --lock-file and --dry-run work on a folder; leave --url out.")
        }
    }

    func perform() async throws {
        try await Interruption.ending {
            if let url = server.url { return try await installThroughServer(url) }
            let place = try PluginWorkplace(options)
            let subjects = try subjects(place)
            let claim = try FolderClaim(place.folder)
            try await place.with { session in
                for subject in subjects { try await install(subject, place, session, claim) }
            }
            if !dryRun, !subjects.isEmpty { RestartNotice.show() }
        }
    }

    private func subjects(_ place: PluginWorkplace) throws -> [InstallSubject] {
        guard !locked, lockFile == nil else {
            let lock = try lockFile.map { try PluginLockFile(path: $0) } ?? PluginLockFile(of: place.folder)
            return lock.plugins.values.sorted { $0.id < $1.id }.map { .locked($0) }
        }
        if let url = options.packageURL { return [.package(url, expectedHash: sha256)] }
        return [PluginWord.subject(words, hash: sha256)]
    }

    private func install(
        _ subject: InstallSubject, _ place: PluginWorkplace, _ session: CatalogSession, _ claim: FolderClaim
    ) async throws {
        var install = InstallOptions()
        (install.allowsDowngrade, install.allowsNewPublisher) = (allowDowngrade, acceptPublisher)
        (install.reinstalls, install.isDryRun) = (force, dryRun)
        let progress = ProgressText(isChatty: options.debug)
        let consent = PluginConsent(consent)
        let observer = InstallObserver(
            event: progress.show,
            approve: { question in
                progress.finish()
                return consent.permissions(question)
            })
        do {
            let outcome = try await session.installer.install(
                subject, options: install, claim: claim, observer: observer)
            progress.finish()
            try InstallReport(outcome: outcome, folder: place.folder, isDryRun: dryRun).show(json: json, place.terminal)
        } catch let error as CatalogError where error.code == .alreadyInstalled {
            progress.finish()
            try json ? Terminal.write(PluginJSON.text([])) : Terminal.write(error.message + "\n")
        } catch {
            progress.finish()
            throw error
        }
    }

    private func installThroughServer(_ url: String) async throws {
        guard case .plugin(let id, let version) = PluginWord.subject(words, hash: nil), options.packageURL == nil else {
            throw CommandFailure(
                .usage, "--url: a running server installs from its own catalogues; give an id, or leave --url out")
        }
        try await PluginServer.with(server, url: url, timeout: options.timeout) { server in
            try await server.install(id, version: version, terminal: Terminal.output(wantsColor: !options.noColor))
        }
    }
}

/// What a person writes for a plugin.
enum PluginWord {
    /// `ID`, `ID VERSION`, `ID@VERSION`, a path or an address.
    static func subject(_ words: [String], hash: String?) -> InstallSubject {
        let word = words.first ?? ""
        let isPlace = word.contains("/") || word.hasSuffix(".zip") || word == "." || word == ".."
        if isPlace { return .package(word, expectedHash: hash) }
        if words.count == 2 { return .plugin(id: word, version: words[1]) }
        let parts = word.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return .plugin(id: parts[0], version: parts.count == 2 ? parts[1] : nil)
    }
}

/// What was installed, as a result.
struct InstallReport {
    let outcome: InstallOutcome
    let folder: PluginsFolder
    let isDryRun: Bool

    func show(json: Bool, _ terminal: Terminal) throws {
        guard !json else {
            return try Terminal.write(
                PluginJSON.text(
                    outcome.plugins.map { plugin in
                        var object: JSONObject = ["id": .string(plugin.entry.id)]
                        for (key, value) in plugin.entry.json.object ?? [:] { object[key] = value }
                        object["before"] = plugin.before.map { .string($0) } ?? .null
                        return .object(object)
                    }))
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
}

/// The JSON of the plugin commands: `{"schemaVersion": 1, "plugins": […]}`.
enum PluginJSON {
    static let schemaVersion: Int64 = 1

    static func text(_ plugins: [JSONValue]) -> String {
        let value: JSONValue = ["schemaVersion": .integer(schemaVersion), "plugins": .array(plugins)]
        return JSONText.indented(value) + "\n"
    }
}
