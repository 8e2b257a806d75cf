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

    @Flag(
        help: """
            Bring the folder to exactly what its plugins.lock.json, or --lock-file, records; exit code 1 when other \
            plugins are there.
            """)
    var locked = false

    @Option(help: "Another plugins.lock.json.")
    var lockFile: String?

    @Flag(help: "With --locked: remove the plugins that the lock file does not record.")
    var prune = false

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
        } else if prune {
            throw ValidationError("--prune goes with --locked or --lock-file.")
        }
        if server.url != nil, locked || lockFile != nil || dryRun || force || json || sha256 != nil {
            throw ValidationError(
                "--locked, --lock-file, --dry-run, --force, --json and --sha256 work on a folder; leave --url out.")
        }
        if server.url != nil { try options.validateForServer() }
        if sha256 != nil, !isArchive {
            throw ValidationError("--sha256 goes with a zip archive or an address; catalogues have sums of their own.")
        }
    }

    func perform() async throws {
        try await Interruption.ending {
            if let url = server.url { return try await installThroughServer(url) }
            let place = try PluginWorkplace(options)
            let claim = try FolderClaim(place.folder)
            // After the claim, which may finish what a killed process began.
            let lock = try lock(place.folder)
            try await place.with { session in
                if let lock {
                    try await install(lock, place, session, claim)
                } else {
                    try await install(subject, place, session, claim)
                }
            }
        }
    }

    private var subject: InstallSubject {
        guard let url = options.packageURL else { return PluginWord.subject(words, hash: sha256) }
        return .package(url, expectedHash: sha256, id: words.first, version: words.count == 2 ? words[1] : nil)
    }

    private var isArchive: Bool {
        guard !locked, lockFile == nil, case .package(let place, _, _, _) = subject else { return false }
        return !FilePaths.isFolder(place)
    }

    /// The lock file that decides; nil when the words do.
    private func lock(_ folder: PluginsFolder) throws -> PluginLockFile? {
        if let lockFile { return try PluginLockFile(path: lockFile) }
        return locked ? try PluginLockFile(of: folder) : nil
    }

    private var installOptions: InstallOptions {
        var options = InstallOptions()
        (options.allowsDowngrade, options.allowsNewPublisher) = (allowDowngrade, acceptPublisher)
        (options.reinstalls, options.isDryRun) = (force, dryRun)
        return options
    }

    private func observer(_ progress: ProgressText) -> InstallObserver {
        let consent = PluginConsent(consent)
        return InstallObserver(
            event: progress.show,
            approve: { question in
                progress.finish()
                return try consent.permissions(question)
            })
    }

    private func install(
        _ subject: InstallSubject, _ place: PluginWorkplace, _ session: CatalogSession, _ claim: FolderClaim
    ) async throws {
        let progress = ProgressText(isChatty: options.debug)
        defer { progress.finish() }
        do {
            let outcome = try await session.installer.install(
                subject, options: installOptions, claim: claim, observer: observer(progress))
            progress.finish()
            try InstallReport(outcome: outcome, folder: place.folder, isDryRun: dryRun).show(json: json, place.terminal)
            if !dryRun { RestartNotice.show() }
        } catch let error as CatalogError where error.code == .alreadyInstalled {
            progress.finish()
            try json ? Terminal.write(PluginJSON.text([])) : Terminal.write(error.message + "\n")
        }
    }

    private func install(
        _ lock: PluginLockFile, _ place: PluginWorkplace, _ session: CatalogSession, _ claim: FolderClaim
    ) async throws {
        let progress = ProgressText(isChatty: options.debug)
        defer { progress.finish() }
        let outcome = try await session.installer.install(
            locked: lock, options: installOptions, prunes: prune, claim: claim, observer: observer(progress))
        progress.finish()
        let report = LockedReport(outcome: outcome, folder: place.folder, isDryRun: dryRun)
        try report.show(json: json, place.terminal)
        if report.isChange, !dryRun { RestartNotice.show() }
        if !outcome.extra.isEmpty { throw ExitCode(ExitStatus.findings.rawValue) }
    }

    private func installThroughServer(_ url: String) async throws {
        guard case .plugin(let id, let version) = PluginWord.subject(words, hash: nil), options.packageURL == nil else {
            throw CommandFailure(
                .usage, "--url: a running server installs from its own catalogues; give an id, or leave --url out")
        }
        try await PluginServer.with(server, url: url, timeout: options.timeout) { server in
            var agreed = InstallConsent()
            (agreed.acceptsPublisher, agreed.allowsDowngrade) = (acceptPublisher, allowDowngrade)
            try await server.install(
                id, version: version, consent: agreed, questions: PluginConsent(consent),
                terminal: Terminal.output(wantsColor: !options.noColor))
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
