// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import PluginHost

/// A temporary folder that is removed with its last reference.
final class LoadingFolder: Sendable {
    let path: String

    init() throws {
        var template = Array((NSTemporaryDirectory() + "/loading-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw FileError(operation: "make", path: "temporary folder", number: errno)
        }
        let made = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }  // '!': it has a NUL at least
        path = FileSystem.realPath(made) ?? made
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    subscript(_ relative: String) -> String { path + "/" + relative }

    @discardableResult
    func write(_ relative: String, _ text: String) throws -> String { try write(relative, bytes: Array(text.utf8)) }

    @discardableResult
    func write(_ relative: String, bytes: [UInt8]) throws -> String {
        let full = self[relative]
        try makeFolder((relative as NSString).deletingLastPathComponent)
        try Data(bytes).write(to: URL(fileURLWithPath: full))
        return full
    }

    func makeFolder(_ relative: String) throws {
        try FileManager.default.createDirectory(atPath: self[relative], withIntermediateDirectories: true)
    }

    func link(_ relative: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: self[relative], withDestinationPath: target)
    }

    func remove(_ relative: String) throws {
        try FileManager.default.removeItem(atPath: self[relative])
    }

    /// Writes a plugin.json with an id, a type and other members.
    func writePlugin(_ folder: String, id: String, type: String = "datasource", _ members: String = "") throws {
        let rest = members.isEmpty ? "" : ", " + members
        try write(folder + "/plugin.json", #"{"id": "\#(id)", "type": "\#(type)", "name": "A test"\#(rest)}"#)
    }
}

/// Small shared libraries, compiled once a test run.
enum LoadingLibrary {
    static let entry =
        "__attribute__((visibility(\"default\"))) const void *gf_entry_v1(const void *h) { (void)h; return 0; }"

    /// The file name of the library `sine` on this machine.
    static let fileName = "sine_\(Platform.current).so"

    /// A library that exports exactly the entry function.
    static let minimal = Result { try compile(entry) }

    static func compile(_ source: String, _ flags: [String] = ["-shared", "-fPIC"]) throws -> [UInt8] {
        let folder = try LoadingFolder()
        try folder.write("lib.c", source)
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["cc", "-fvisibility=hidden"] + flags + ["-o", folder["lib.so"], folder["lib.c"]]
        try compiler.run()
        compiler.waitUntilExit()
        return try FileSystem.bytes(of: folder["lib.so"], limit: 1 << 30)
    }

    static func elf(_ bytes: [UInt8]) throws -> ELFImage {
        try bytes.withUnsafeBytes { try ELFImage(bytes: $0) }
    }
}

extension LoadingPipeline {
    /// A pipeline that allows every unsigned plugin.
    static func permissive() -> LoadingPipeline {
        var settings = LoadingSettings()
        settings.isDevelopment = true
        return LoadingPipeline(settings: settings)
    }

    /// All plugins below one folder.
    func prepare(_ folder: LoadingFolder) async -> PreparedPlugins {
        await prepare(sources: [.collection(path: folder.path, class: .external)])
    }
}
