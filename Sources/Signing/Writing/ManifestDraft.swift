// SPDX-License-Identifier: Apache-2.0

/// What the author decides about a signature.
public struct SigningRequest: Sendable, Equatable {
    /// For whom the plugin is signed.
    public var type: Manifest.SignatureType
    /// The short name of the signer.
    public var organization: String
    /// The display name of the signer.
    public var organizationName: String
    /// The servers that may load the plugin; empty for all.
    public var rootURLs: [String]
    /// When it is signed, seconds since 1970.
    public var time: Int64

    /// Makes a request.
    public init(
        type: Manifest.SignatureType, organization: String, organizationName: String, rootURLs: [String], time: Int64
    ) {
        self.type = type
        self.organization = organization
        self.organizationName = organizationName
        self.rootURLs = rootURLs
        self.time = time
    }
}

/// The manifest of a plugin's folder as it is now, to be signed.
public struct ManifestDraft: Sendable {
    /// What will be signed.
    public let manifest: Manifest
    /// Files that should not be in a release, each with the reason.
    public let warnings: [String]

    /// The text to sign.
    public var text: String { manifest.text }

    /// Reads plugin.json and hashes all files on all cores.
    ///
    /// - Parameter keyID: Of the key that will sign.
    /// - Throws: ``SigningError``: `.contentUnsignable` when the request or the folder breaks a rule of the format, and
    ///   what reading throws.
    public init(
        of content: some PluginContent, request: SigningRequest, keyID: String
    ) throws(SigningError) {
        try Self.check(request)
        let bytes: [UInt8]
        do throws(SigningError) {
            bytes = try content.bytes(of: "plugin.json", limit: PluginIdentity.maximumBytes)
        } catch {
            throw SigningError(.contentUnsignable, "there is no readable plugin.json; name the folder that has it")
        }
        let identity = try PluginIdentity(pluginJSON: bytes)
        guard !identity.version.isEmpty else {
            throw SigningError(.contentUnsignable, "plugin.json has no \"info.version\"; add it")
        }
        let paths = content.paths.filter { $0 != Manifest.fileName }
        for path in paths {
            if let fault = ManifestPath.fault(of: path) {
                throw SigningError(.contentUnsignable, "the file '\(path)' cannot be signed: \(fault); rename it")
            }
        }
        var files: [Manifest.File] = []
        for (path, digest) in zip(paths, ParallelDigests.of(paths, in: content)) {
            files.append(Manifest.File(path: path, digest: try digest.get()))
        }
        var manifest = Manifest(
            plugin: identity.id, version: identity.version, keyID: keyID, timeMilliseconds: request.time * 1000,
            files: files, signatureType: request.type)
        manifest.organization = request.organization
        manifest.organizationName = request.organizationName
        manifest.rootURLs = request.rootURLs
        self.manifest = manifest
        warnings = paths.compactMap(StrayFile.warning)
    }

    private static func check(_ request: SigningRequest) throws(SigningError) {
        guard !request.organization.isEmpty, !request.organizationName.isEmpty else {
            throw SigningError(.contentUnsignable, "the signature needs the name of an organisation; give --org")
        }
        guard request.time > 0 else {
            throw SigningError(.contentUnsignable, "the time of signing is before 1970; set the clock")
        }
        if request.type == .privateGlob, request.rootURLs.isEmpty {
            throw SigningError(
                .contentUnsignable, "the type private-glob needs a pattern of root URLs; give --root-url")
        }
        for url in request.rootURLs {
            let isGlob = request.type != .privateGlob || Glob(url, separators: ["/", "."]) != nil
            guard let parsed = RootURL(url), !parsed.scheme.isEmpty, isGlob else {
                throw SigningError(
                    .contentUnsignable, "the root URL '\(url)' is no URL such as https://grafana.example/; correct it")
            }
        }
    }

    /// Checks a signed text as readers will: it must hold the draft, signed by the key.
    ///
    /// - Throws: ``SigningError`` `.openPGPFailure` when what the signing program made is not that.
    public func check(signed bytes: [UInt8], by key: PublicKey, now: Int64) throws(SigningError) {
        do {
            let signed = try ClearSignedText(parsing: bytes)
            _ = try SignatureCheck.verify(text: signed.text, signature: signed.signature, key: key, now: now)
            guard try Manifest(parsing: signed.text) == manifest else {
                throw FormatError("it is the signature of another text")
            }
        } catch {
            let words = (error as? ManifestFault)?.message ?? (error as? FormatError)?.message ?? "\(error)"
            throw SigningError(.openPGPFailure, "the new signature does not verify: \(words); try another key")
        }
    }

    /// Writes MANIFEST.txt into a folder, replacing an old one at once.
    public static func write(_ bytes: [UInt8], to folder: String) throws(SigningError) {
        try FileAccess.replace("\(folder)/\(Manifest.fileName)", with: bytes)
    }
}

/// Files that end up in a release by accident.
enum StrayFile {
    private static let names: Set<String> = [
        ".DS_Store", "Thumbs.db", "desktop.ini", ".env", ".npmrc", ".netrc", "id_rsa", "id_ed25519", ".gitignore",
    ]
    private static let folders: Set<String> = [".git", ".svn", ".hg", "node_modules", ".idea", ".vscode", "__MACOSX"]
    private static let endings = [".pem", ".key", ".p12", ".swp", "~", ".orig", ".bak", ".log", ".o"]

    /// Why a file should not ship, or nil.
    static func warning(_ path: String) -> String? {
        let parts = path.split(separator: "/").map(String.init)
        guard let name = parts.last else { return nil }
        if let folder = parts.dropLast().first(where: folders.contains) {
            return "\(path): files of \(folder) do not belong in a release"
        }
        if [".pem", ".key", ".p12"].contains(where: name.hasSuffix) || name.hasPrefix("id_") || name == ".env" {
            return "\(path): it may hold a secret"
        }
        return names.contains(name) || endings.contains(where: name.hasSuffix)
            ? "\(path): it does not belong in a release" : nil
    }
}
