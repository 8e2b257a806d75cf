// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Signing

/// `grafana-sign verify`: judges plugins as a server does.
struct VerifyCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Judges the signatures of plugins.",
        discussion: """
            Exit code 0 when all are valid, 77 when one is refused, 65 when one is malformed. A plugin that is signed \
            for certain servers is checked against --root-url; without it that check is left out.
            """)

    @Argument(help: ArgumentHelp("Folders or zip files of plugins.", valueName: "plugin"))
    var plugins: [String]

    @Option(help: ArgumentHelp("The URL of the server, as [server] root_url says.", valueName: "url"))
    var rootURL: String?

    @Flag(help: "As JSON.")
    var json = false

    @Flag(help: "Print every step.")
    var explain = false

    @Flag(help: "No colours, also on a terminal; NO_COLOR says the same.")
    var noColor = false

    @OptionGroup(title: "Trust")
    var trust: TrustOptions

    func perform() async throws {
        Terminal.silenceLibraries()
        let verifier = Verifier(store: try trust.store(), rootURL: rootURL)
        let usesColor = Terminal.output(wantsColor: !noColor).usesColor
        var reports: [VerdictReport] = []
        for plugin in plugins {
            let report = report(on: plugin, verifier: verifier)
            if !json { try Terminal.write(report.text(explains: explain, usesColor: usesColor)) }
            reports.append(report)
        }
        if json { try Terminal.write(VerdictReport.json(reports, explains: explain)) }
        let worst = reports.compactMap(\.exitStatus).max { Self.weight($0) < Self.weight($1) }
        if let worst { throw ExitCode(worst.rawValue) }
    }

    /// A plugin that cannot be read says more than one that is malformed, and that more than one that is refused.
    private static func weight(_ status: ExitStatus) -> Int {
        switch status {
        case .refused: 0
        case .badData: 1
        default: 2
        }
    }

    private func report(on path: String, verifier: Verifier) -> VerdictReport {
        var report = VerdictReport(path: path)
        do {
            let verdict =
                FilePaths.isFolder(path)
                ? try Self.judge(FolderContent(path), verifier, &report)
                : try Self.judge(ZipContent(path), verifier, &report)
            report.result = .verdict(verdict)
        } catch {
            if let error = error as? SigningError, let verdict = SignatureVerdict(refusedContent: error) {
                report.steps.append(VerificationStep("files", .failed, error.message))
                report.result = .verdict(verdict)
            } else {
                report.result = .failure(CommandFailure(error, subject: path))
            }
        }
        return report
    }

    private static func judge(
        _ content: some PluginContent, _ verifier: Verifier, _ report: inout VerdictReport
    ) throws -> SignatureVerdict {
        guard content.paths.contains("plugin.json") else {
            throw CommandFailure(
                .badData, "'\(report.path)': there is no plugin.json; name the folder of the plugin itself")
        }
        let bytes = try content.bytes(of: "plugin.json", limit: PluginIdentity.maximumBytes)
        let identity = try PluginIdentity(pluginJSON: bytes)
        report.plugin = identity
        let line = ProgressLine(total: content.paths.count { $0 != Manifest.fileName })
        defer { line.end() }
        var steps: [VerificationStep] = []
        let verdict = verifier.verdict(
            on: ProgressContent(files: content, line: line), plugin: identity, now: SigningClock.now
        ) { steps.append($0) }
        report.steps = steps
        return verdict
    }
}

extension CommandFailure {
    /// The failure with what it is about in front.
    init(_ error: any Error, subject: String) {
        self.init(error)
        if error is SigningError { message = "'\(subject)': \(message)" }
    }
}
