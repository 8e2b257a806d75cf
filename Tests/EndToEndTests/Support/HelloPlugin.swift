// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// The example plugin `hello-c`, compiled by the system's C compiler.
struct HelloPlugin {
    /// What its health check says.
    var greeting = "Hello from C"

    private static let source = repositoryRoot.appending(path: "examples/plugins/hello-c")

    private static var libraryName: String {
        #if arch(arm64)
        "hello_linux_arm64.so"
        #else
        "hello_linux_amd64.so"
        #endif
    }

    /// Puts plugin.json and the library into a folder; one that is there already gets the new library in one step.
    func build(into folder: URL) async throws {
        let source = try String(contentsOf: Self.source.appending(path: "hello.c"), encoding: .utf8)
        let workplace = FileManager.default.temporaryDirectory.appending(path: "hello-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: workplace, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: workplace) }
        let file = workplace.appending(path: "hello.c")
        let library = workplace.appending(path: Self.libraryName)
        try source.replacing("Hello from C", with: greeting).write(to: file, atomically: true, encoding: .utf8)
        let (status, output) = try await Tool.run(
            "cc",
            [
                "-std=c11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden",
                "-I\(repositoryRoot.appending(path: "include").path)", file.path, "-o", library.path, "-lm",
            ])
        guard status == 0 else { throw RealServerError("cc: \(output)") }
        if FileManager.default.fileExists(atPath: folder.path) {
            try Self.replaceLibrary(in: folder, with: Array(Data(contentsOf: library)))
        } else {
            try FileManager.default.copyItem(
                at: Self.source.appending(path: "plugin.json"), to: workplace.appending(path: "plugin.json"))
            try FileManager.default.removeItem(at: file)
            try FileManager.default.copyItem(at: workplace, to: folder)
        }
    }

    /// Puts other bytes in the place of the library.
    static func replaceLibrary(in folder: URL, with bytes: [UInt8]) throws {
        try Data(bytes).write(to: folder.appending(path: libraryName), options: .atomic)
    }
}
