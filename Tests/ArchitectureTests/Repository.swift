// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The source tree that these tests look at.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Folders that hold sources of our own.
    static let sourceFolders = ["Sources", "Tests", "Benchmarks", "Fuzz", "include", "abi", "examples", "packaging"]

    /// The files below a folder with one of the extensions, as paths relative to the root, sorted.
    static func files(in folder: String, extensions: Set<String>) -> [String] {
        let base = root.appending(path: folder)
        guard let walk = FileManager.default.enumerator(atPath: base.path) else { return [] }
        let paths = walk.compactMap { $0 as? String }.filter { path in
            let parts = path.split(separator: "/")
            return extensions.contains((path as NSString).pathExtension) && !parts.contains { $0.hasPrefix(".") }
                && !parts.contains("dist")
        }
        return paths.map { "\(folder)/\($0)" }.sorted()
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static func lines(_ path: String) throws -> [Substring] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Runs a program to its end; output is what it wrote to both streams.
    static func run(_ program: URL, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = program
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
