// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

/// The golden frames: Arrow files that the SDK for Go wrote and its own JSON of the same frames.
enum FrameFixtures {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let folder = root.appending(path: "../shared/fixtures/frames").standardized

    /// The names of all pairs; without the fixtures one that cannot be read, so that the tests fail.
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let names = files.filter { $0.hasSuffix(".arrow") }.map { String($0.dropLast(6)) }.sorted()
        return names.isEmpty ? ["missing-fixtures"] : names
    }()

    /// Those of which every damaged copy can be tried in no time.
    static let smallNames = names.filter { name in (try? arrow(name).count < 1300) ?? true }

    static func arrow(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: "\(name).arrow")))
    }

    /// The JSON without the line break that ends the file.
    static func json(_ name: String) throws -> [UInt8] {
        let bytes = Array(try Data(contentsOf: folder.appending(path: "\(name).json")))
        return bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes
    }
}

/// Runs the Python program that checks frames with pyarrow.
struct FrameChecker {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// - Returns: What the program printed.
    /// - Throws: ``Failure`` with the remedy when there is no Python with pyarrow, or with what the program found.
    @discardableResult
    static func run(_ arguments: [String]) throws -> String {
        let installed = FrameFixtures.root.appending(path: ".build/test-venv/bin/python3").path
        let python = ProcessInfo.processInfo.environment["GRAFANA_TEST_PYTHON"] ?? installed
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw Failure(description: "no Python at \(python); run `make deps` or set GRAFANA_TEST_PYTHON")
        }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: python)
        process.arguments = [FrameFixtures.root.appending(path: "Tests/Tools/check_frames.py").path] + arguments
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(text)(with \(python); if pyarrow is missing, run `make deps`)")
        }
        return text
    }
}

/// Calls `body` with a new folder, which is removed afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "frames-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}
