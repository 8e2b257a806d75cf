// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Signing
internal import Synchronization

/// The files of a bundle as the verifier sees them: what was sealed by its digest, all else from the disk.
final class BundleContent: PluginContent {
    let paths: [String]
    private let folder: String
    private let realFolder: String
    private let files: PluginFiles
    /// Path below the folder, without symlinks → the digest of what was read.
    private let sealed: [String: FileDigest]
    /// The manifest that was judged, once it was read.
    private let readManifest = Mutex<[UInt8]?>(nil)

    /// - Throws: ``PluginRefusal`` when the folder cannot be listed.
    init(_ bundle: [PluginCandidate], of primary: PluginCandidate) throws {
        files = primary.files
        folder = primary.bundleFolder
        realFolder = FileSystem.realPath(folder) ?? folder
        paths = try primary.files.names()
        sealed = Dictionary(
            bundle.flatMap(\.sealedFiles).map { ($0.path, $0.digest) }, uniquingKeysWith: { first, _ in first })
    }

    func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        let place = try place(of: path)
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileSystem.bytes(of: place, limit: limit)
        } catch {
            let fact = error.number == EFBIG ? "has more than \(limit) bytes" : "cannot be read: \(error.reason)"
            throw SigningError(.fileUnreadable, "'\(path)' \(fact)")
        }
        if path == Manifest.fileName { readManifest.withLock { $0 = bytes } }
        return bytes
    }

    func digest(of path: String) throws(SigningError) -> FileDigest {
        // What was read counts, whatever is at its place by now.
        if let digest = sealed[path] { return digest }
        let place = try place(of: path)
        if let real = FileSystem.realPath(place), let below = FilePath.relative(real, to: realFolder),
            let digest = sealed[below]
        {
            return digest
        }
        return try FileHasher.digest(ofFile: place)
    }

    private func place(of path: String) throws(SigningError) -> String {
        guard let place = files.location(of: path) else {
            throw SigningError(.fileUnreadable, "'\(path)' is not a file of the plugin")
        }
        return place
    }

    /// The first sealed file that the manifest does not vouch for: it was read before or after the list was made.
    func difference(from manifest: Manifest) -> SignatureVerdict.Difference? {
        let listed = Dictionary(manifest.files.map { ($0.path, $0.digest) }, uniquingKeysWith: { first, _ in first })
        let wrong = sealed.filter { listed[$0.key] != $0.value }.min { $0.key < $1.key }
        return wrong.map { .init(path: $0.key, expected: listed[$0.key], found: $0.value) }
    }

    /// What was sealed, sorted by path.
    var sealedFiles: [(path: String, digest: FileDigest)] {
        sealed.sorted { $0.key < $1.key }.map { (path: $0.key, digest: $0.value) }
    }

    /// What was judged, to be judged again.
    func evidence(_ manifest: Manifest, of plugin: PluginIdentity) -> SignatureEvidence? {
        readManifest.withLock { $0 }.map { SignatureEvidence(plugin: plugin, text: $0, manifest: manifest) }
    }
}

/// What a valid signature was found on: the manifest as it was read, and the digests of all files.
final class SignatureEvidence: PluginContent {
    let plugin: PluginIdentity
    private let text: [UInt8]
    /// Every file with its digest, MANIFEST.txt among them.
    let digests: [String: FileDigest]

    init(plugin: PluginIdentity, text: [UInt8], manifest: Manifest) {
        self.plugin = plugin
        self.text = text
        var digests = Dictionary(manifest.files.map { ($0.path, $0.digest) }, uniquingKeysWith: { first, _ in first })
        digests[Manifest.fileName] = FileHasher.digest(of: text)
        self.digests = digests
    }

    var paths: [String] { Array(digests.keys) }

    func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        guard path == Manifest.fileName, text.count <= limit else {
            throw SigningError(.fileUnreadable, "'\(path)' was not kept")
        }
        return text
    }

    func digest(of path: String) throws(SigningError) -> FileDigest {
        guard let digest = digests[path] else { throw SigningError(.fileUnreadable, "'\(path)' was not signed") }
        return digest
    }

    /// The digests of one plugin of the bundle, by paths relative to its own folder.
    func digests(below candidate: PluginCandidate) -> [String: FileDigest] {
        guard let prefix = FilePath.relative(candidate.folder, to: candidate.bundleFolder), !prefix.isEmpty else {
            return digests
        }
        var own: [String: FileDigest] = [:]
        for (path, digest) in digests {
            if let rest = FilePath.relative(path, to: prefix), !rest.isEmpty { own[rest] = digest }
        }
        return own
    }
}
