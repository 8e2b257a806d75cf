// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Synchronization
import TestSupport

/// A plugin that does the harm that a query names, compiled from `Tests/Programs`.
struct CrashingPlugin {
    var id = "test-crashing-datasource"
    /// Whether a part of it is Swift, with a runtime of its own, which traps.
    var hasSwift = false
    var version = "1.0.0"

    private static let programs = repositoryRoot.appending(path: "Tests/Programs")

    private static var platform: String {
        #if arch(arm64)
        "linux_arm64"
        #else
        "linux_amd64"
        #endif
    }

    /// Libraries by what they were compiled with, so that each is compiled once.
    private static let libraries = Mutex<[String: Data]>([:])

    /// Puts plugin.json and the library into a folder that is not there yet.
    func build(into folder: URL) async throws {
        let description: JSONValue = [
            "id": .string(id), "type": "datasource", "name": "Crashing", "backend": true, "library": "crashing",
            "info": ["version": .string(version)],
        ]
        let library = try await library()
        let prepared = folder.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "prepared-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: prepared, withIntermediateDirectories: true)
        try library.write(to: prepared.appending(path: "crashing_\(Self.platform).so"))
        try Data(description.encoded().utf8).write(to: prepared.appending(path: "plugin.json"))
        try FileManager.default.moveItem(at: prepared, to: folder)
    }

    private func library() async throws -> Data {
        let key = "\(id) \(hasSwift)"
        if let known = Self.libraries.withLock({ $0[key] }) { return known }
        let new = try await compile()
        Self.libraries.withLock { $0[key] = new }
        return new
    }

    private func compile() async throws -> Data {
        let workplace = FileManager.default.temporaryDirectory.appending(path: "crashing-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: workplace, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: workplace) }
        let object = workplace.appending(path: "crashing.o").path
        let library = workplace.appending(path: "crashing.so")
        try await Self.run(
            "cc",
            [
                "-std=c11", "-O1", "-fPIC", "-fvisibility=hidden", "-DPLUGIN_ID=\"\(id)\"",
                "-I\(repositoryRoot.appending(path: "include").path)", "-c",
                Self.programs.appending(path: "crashing.c").path, "-o", object,
            ] + (hasSwift ? ["-DHAS_SWIFT"] : []))
        guard hasSwift else {
            try await Self.run("cc", ["-shared", object, "-lpthread", "-o", library.path])
            return try Data(contentsOf: library)
        }
        let exports = repositoryRoot.appending(path: "examples/plugins/sine-swift/exports.map").path
        let swift = workplace.appending(path: "trapping.o").path
        try await Self.run(
            "swiftc",
            [
                "-O", "-parse-as-library", "-module-name", "trapping", "-emit-object",
                Self.programs.appending(path: "trapping.swift").path, "-o", swift,
            ])
        try await Self.run(
            "swiftc",
            [
                "-emit-library", "-static-stdlib", swift, object, "-Xlinker", "--version-script=\(exports)", "-o",
                library.path,
            ])
        return try Data(contentsOf: library)
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        let (status, output) = try await Tool.run(program, arguments)
        guard status == 0 else { throw RealServerError("\(program): \(output)") }
    }
}
