// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
public import Signing

/// Makes the index of a static catalogue from the archives in a folder.
public struct CatalogBuilder: Sendable {
    /// An index that is not signed yet.
    public struct Draft: Sendable {
        let index: CatalogIndex
        /// The JSON to sign.
        public var text: String { JSONText.indented(index.json) + "\n" }
        /// The serial.
        public var serial: Int64 { index.serial }
        /// How many plugins and archives there are.
        public let counts: (plugins: Int, archives: Int)
        /// What its maker should know, such as packages that nobody signed.
        public let warnings: [String]
    }

    /// The folder with the archives, at any depth.
    public let folder: String
    private let limits = ArchiveLimits()

    /// Works on a folder.
    public init(folder: String) { self.folder = folder }

    /// The path of the index.
    public var path: String { "\(folder)/\(CatalogIndex.fileName)" }

    /// Reads all archives.
    ///
    /// - Parameters:
    ///   - serial: Nil for one above that of the index that is there.
    ///   - expires: Seconds since 1970.
    ///   - key: The key that will sign: the serial is only taken from an index that it signed.
    /// - Throws: ``CatalogError`` for an archive that could not be installed, and for two of the same version.
    public func draft(name: String, serial: Int64?, expires: Int64, key: PublicKey) throws -> Draft {
        var plugins: [String: CatalogIndex.Plugin] = [:]
        var warnings: [String] = []
        var count = 0
        for entry in try FileTree.entries(of: folder, limits: limits).sorted(by: { $0.path < $1.path })
        where entry.kind == .file && entry.path.hasSuffix(".zip")
            && !entry.path.split(separator: "/").contains(where: { $0.hasPrefix(".") })
        {
            let package = try ArchiveFacts(path: "\(folder)/\(entry.path)", limits: limits)
            if !package.isSigned {
                warnings.append("'\(entry.path)': nobody signed this package; grafana-sign sign does")
            }
            try add(package, entry, to: &plugins)
            count += 1
        }
        let sorted = plugins.values.sorted { $0.listed.id < $1.listed.id }
        let next = try serial ?? nextSerial(key: key)
        let index = CatalogIndex(name: name, serial: next, expires: expires, plugins: sorted)
        // What is written is what installers will read.
        _ = try CatalogIndex(Array(index.json.encoded().utf8), location: path)
        return Draft(index: index, counts: (sorted.count, count), warnings: warnings)
    }

    private func add(
        _ package: ArchiveFacts, _ entry: FileTree.Entry, to plugins: inout [String: CatalogIndex.Plugin]
    ) throws {
        let facts = package.facts
        guard SemanticVersion(facts.version) != nil else {
            throw CatalogError(
                .packageInvalid, "'\(entry.path)': its version '\(facts.version)' is no version such as 1.2.0")
        }
        guard VersionRange(facts.serverRange) != nil else {
            throw CatalogError(
                .packageInvalid,
                "'\(entry.path)': its grafanaDependency '\(facts.serverRange)' is no range of versions such as >=12.0.0"
            )
        }
        var listed = ListedPlugin(id: facts.id)
        (listed.name, listed.description, listed.author) = (facts.name, facts.description, facts.author)
        (listed.category, listed.keywords) = (facts.type, facts.keywords)
        var plugin = plugins[facts.id] ?? CatalogIndex.Plugin(listed: listed, versions: [])
        let place = plugin.versions.firstIndex { $0.version == facts.version }
        var version =
            place.map { plugin.versions[$0] }
            ?? .init(version: facts.version, serverRange: facts.serverRange, builds: [:])
        for machine in package.machines {
            if let other = version.builds[machine] {
                throw CatalogError(
                    .archiveDuplicateName,
                    "'\(entry.path)': '\(other.path ?? "")' is \(facts.id) \(facts.version) for \(machine), too; keep one"
                )
            }
            version.builds[machine] = .init(hash: package.hash, size: entry.size, path: entry.path)
        }
        if let place { plugin.versions[place] = version } else { plugin.versions.append(version) }
        plugin.versions.sort { SemanticVersion.isOlder($1.version, than: $0.version) }
        if plugin.versions.first?.version == facts.version { plugin.listed = listed }
        plugins[facts.id] = plugin
    }

    private func nextSerial(key: PublicKey) throws -> Int64 {
        guard let bytes = try FileTree.read(path) else { return 1 }
        do {
            let own = TrustedKey(key, plugins: [], types: [], level: .process, grantedBy: "the key that signs")
            let store = try TrustStore(keys: [own])
            let last = try SignedStatement(opening: bytes, kind: CatalogIndex.kind, store: store, now: TrustJudge.now)
            let serial = try CatalogIndex(last.text, location: path).serial
            guard serial < .max else {
                throw CatalogError(
                    .catalogMalformed,
                    "'\(path)': its serial is the largest that there is; sign a catalogue at another address with a new key"
                )
            }
            return serial + 1
        } catch let error as SigningError {
            throw CatalogError(
                .catalogUntrusted,
                "'\(path)': the index that is there is not by this key (\(error.message)); give the next serial with --serial"
            )
        }
    }

    /// Writes the signed index; readers see the old one or the new one.
    public func write(_ signed: [UInt8]) throws {
        try FileTree.replace(path, with: signed, temporary: "\(folder)/.\(CatalogIndex.fileName).\(getpid()).new")
    }
}

/// What an index has to know of an archive.
struct ArchiveFacts {
    let facts: PackageFacts
    let hash: String
    /// `any`, or each machine that it has a build for.
    let machines: [String]
    let isSigned: Bool

    init(path: String, limits: ArchiveLimits) throws {
        let subject = "'\(path)'"
        let archive = try ZipArchive(path: path, subject: subject)
        let plan = try UnpackPlan(
            archive.entries(limit: limits.entries), archiveBytes: archive.fileBytes, subject: subject, limits: limits)
        let home = plan.files.contains { $0.path == "dist/plugin.json" } ? "dist/" : ""
        guard let file = plan.files.first(where: { $0.path == "\(home)plugin.json" }),
            file.entry.size <= UInt64(PackageFacts.largest)
        else {
            throw CatalogError(
                .packageInvalid, "could not find plugin.json or dist/plugin.json in \(subject); it is no plugin")
        }
        var bytes: [UInt8] = []
        try archive.read(file.entry) { bytes += $0 }
        facts = try PackageFacts(pluginJSON: bytes, subject: subject)
        let names = plan.files.map(\.path)
        var machines = ["any"]
        if let base = facts.library ?? facts.executable {
            let ending = facts.library == nil ? "" : ".so"
            machines = ["amd64", "arm64"].filter { names.contains("\(home)\(base)_linux_\($0)\(ending)") }.map {
                "linux-\($0)"
            }
            guard !machines.isEmpty else {
                throw CatalogError(
                    .packageWrongMachine,
                    "\(subject): it has no build for Linux; build it for linux_amd64 or linux_arm64")
            }
        }
        self.machines = machines
        isSigned = names.contains("\(home)MANIFEST.txt")
        hash = try TreeHash.ofFile(path)
    }
}
