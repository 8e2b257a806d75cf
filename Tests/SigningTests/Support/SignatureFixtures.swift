// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Signing

/// Real plugins with real signatures; SOURCES.md beside them says where each comes from and what Grafana decides.
enum SignatureFixtures {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let folder = root.appending(path: "../shared/fixtures/signatures").standardized

    static func path(_ name: String) -> String { folder.appending(path: name).path }

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: name)))
    }

    /// 2026-01-01; after every fixture was signed.
    static let now: Int64 = 1_767_225_600
}

/// A fixture as the whole plugin that it was taken from.
///
/// The fixtures leave out program files and files over 100 kB, and SOURCES.md says that those had the listed digests when
/// the whole plugin was checked; so they are answered from the manifest. All other files are read.
struct WholePlugin: PluginContent {
    let files: FolderContent
    let paths: [String]
    private let omitted: [String: FileDigest]

    private static let omittedExtensions: Set<String> = [
        "js", "map", "css", "html", "ttf", "woff", "woff2", "eot", "png", "svg", "gif", "jpg", "so",
    ]

    init(_ name: String) throws {
        files = try FolderContent(SignatureFixtures.path(name))
        let signed = try ClearSignedText(parsing: SignatureFixtures.bytes("\(name)/MANIFEST.txt"))
        let listed = try Manifest(parsing: signed.text).files
        let present = Set(files.paths)
        let left = listed.filter { file in
            let isProgram = Self.omittedExtensions.contains((file.path as NSString).pathExtension)
            return !present.contains(file.path) && (isProgram || !file.path.contains("."))
        }
        omitted = Dictionary(uniqueKeysWithValues: left.map { ($0.path, $0.digest) })
        paths = files.paths + left.map(\.path)
    }

    func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        try files.bytes(of: path, limit: limit)
    }

    func digest(of path: String) throws(SigningError) -> FileDigest {
        if let digest = omitted[path] { return digest }
        return try files.digest(of: path)
    }
}
