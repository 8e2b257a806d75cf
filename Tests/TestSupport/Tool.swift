// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A program that runs to its end.
package enum Tool {
    /// Runs a program that is found in PATH; its output is what it wrote to both streams.
    package static func run(
        _ program: String, _ arguments: [String], seconds: Int = 120
    ) async throws -> (status: Int32, output: String) {
        let log = FileManager.default.temporaryDirectory.appending(path: "tool-\(UUID().uuidString).log")
        defer { try? FileManager.default.removeItem(at: log) }
        let program = try LeashedProgram(program, arguments, log: log)
        defer { program.end() }
        let status = try await program.exitStatus(within: seconds)
        return (status, program.output)
    }
}
