// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// The commands of a page of `docs/` with the output that stands below them.
///
/// A command begins with `$ ` in a block of the language `console`, and goes on while a quote is open. `…` in an output
/// stands for anything.
struct DocumentedExample: Equatable {
    var command: String
    var output: String

    /// All examples of a page.
    static func read(_ page: String) throws -> [DocumentedExample] {
        let file = repositoryRoot.appending(path: "docs/\(page)")
        let lines = try String(contentsOf: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        var examples: [DocumentedExample] = []
        var isInBlock = false
        for line in lines {
            if line.hasPrefix("```") {
                isInBlock = line == "```console"
            } else if isInBlock, line.hasPrefix("$ ") {
                examples.append(DocumentedExample(command: String(line.dropFirst(2)), output: ""))
            } else if isInBlock, let last = examples.indices.last {
                let isOpen = examples[last].command.count { $0 == "'" } % 2 == 1
                if isOpen { examples[last].command += "\n" + line } else { examples[last].output += line + "\n" }
            }
        }
        return examples
    }

    /// Runs the command in a shell.
    ///
    /// - Parameter replacements: Names of servers in the text, and those of the test.
    func run(replacing replacements: [String: String]) async throws -> String {
        var command = command
        for (name, other) in replacements { command = command.replacing(name, with: other) }
        let (status, output) = try await Tool.run("sh", ["-c", command])
        guard status == 0 else { throw RealServerError("'\(command)' ended with \(status): \(output)") }
        return output
    }

    /// Whether an output is the documented one, whatever the space between its parts.
    func matches(_ found: String) -> Bool {
        let parts = Self.dense(output).split(separator: "…", omittingEmptySubsequences: false)
        let found = Self.dense(found)
        guard parts.count > 1 else { return found == parts[0] }
        guard found.hasPrefix(parts[0]), found.hasSuffix(parts[parts.count - 1]) else { return false }
        var rest = found.dropFirst(parts[0].count)
        for part in parts.dropFirst() where !part.isEmpty {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return true
    }

    private static func dense(_ text: String) -> String { text.filter { !$0.isWhitespace } }
}
