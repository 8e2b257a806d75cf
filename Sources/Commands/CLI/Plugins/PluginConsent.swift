// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog
import Glibc

/// How questions are answered.
struct ConsentOptions: ParsableArguments {
    @Flag(name: [.long, .customShort("y")], help: "Answer every question with yes.")
    var yes = false

    @Flag(help: "Ask nothing; a question that is open is a no.")
    var noInput = false
}

/// Asks on a terminal, and only there.
struct PluginConsent: Sendable {
    let isGranted: Bool
    let mayAsk: Bool
    /// So late is a cancelled task noticed.
    private static let patienceMilliseconds: Int32 = 100

    init(_ options: ConsentOptions) {
        isGranted = options.yes
        mayAsk = !options.noInput && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    }

    /// Shows what a plugin asks for, and asks.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before there is an answer.
    func permissions(_ question: PermissionQuestion) throws -> Bool {
        let kind = question.isUpdate ? "asks for more than before" : "asks for"
        Terminal.writeError("\(question.id) v\(question.version) \(kind):\n")
        for line in question.wanted { Terminal.writeError("  \(TerminalText.line(line))\n") }
        return try isYes("Grant this?")
    }

    private func isYes(_ question: String) throws -> Bool {
        if isGranted { return true }
        guard mayAsk else { return false }
        Terminal.writeError("\(question) [y/N] ")
        // Ctrl-C cancels the task, which a read alone would not notice.
        var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        while poll(&input, 1, Self.patienceMilliseconds) <= 0 {
            if Task.isCancelled { Terminal.writeError("\n") }
            try Task.checkCancellation()
        }
        guard let answer = readLine() else { return false }
        return ["y", "yes"].contains(answer.lowercased())
    }
}
