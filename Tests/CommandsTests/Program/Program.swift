// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Runs of the built programs; `grafana-cli` when none is named.
enum Program {
    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    /// A built program, which lies beside the test bundle.
    static func url(_ name: String = "grafana-cli") throws -> URL {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(filePath: tests).deletingLastPathComponent().appending(path: name)
        try #require(
            FileManager.default.isExecutableFile(atPath: program.path),
            "\(program.path) is missing; build it with swift build --build-tests")
        return program
    }

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - input: Standard input; empty when left out.
    ///   - environment: The only variables besides PATH.
    static func run(
        _ arguments: [String], of name: String = "grafana-cli", input: String = "", environment: [String: String] = [:]
    ) throws -> Outcome {
        try run(arguments, of: try url(name), input: input, environment: environment)
    }

    /// The same for a program at any place.
    static func run(
        _ arguments: [String], of program: URL, input: String = "", environment: [String: String] = [:]
    ) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(path: "grafana-cli-run-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["input", "output", "errors"].map { folder.appending(path: $0) }
        try Data(input.utf8).write(to: files[0])
        for file in files[1...] { try Data().write(to: file) }

        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { own, _ in own }
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: String(decoding: try Data(contentsOf: files[1]), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
    }
}
