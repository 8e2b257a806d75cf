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

    init(_ options: ConsentOptions) {
        isGranted = options.yes
        mayAsk = !options.noInput && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    }

    /// Shows what a plugin asks for, and asks.
    func permissions(_ question: PermissionQuestion) -> Bool {
        let kind = question.isUpdate ? "asks for more than before" : "asks for"
        Terminal.writeError("\(question.id) v\(question.version) \(kind):\n")
        for line in question.wanted { Terminal.writeError("  \(TerminalText.line(line))\n") }
        return isYes("Grant this?")
    }

    func isYes(_ question: String) -> Bool {
        if isGranted { return true }
        guard mayAsk else { return false }
        Terminal.writeError("\(question) [y/N] ")
        guard let answer = readLine() else { return false }
        return ["y", "yes"].contains(answer.lowercased())
    }
}
