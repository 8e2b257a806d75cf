// SPDX-License-Identifier: Apache-2.0

/// Why a plugin was not found, fetched, unpacked, trusted or put in place.
public struct CatalogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of a failure, stable for scripts and for the anchors of `docs/troubleshooting.md`.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// The kebab-case name.
        public var rawValue: String
        /// Takes the name.
        public init(rawValue: String) { self.rawValue = rawValue }
    }

    /// What kind of failure it is.
    public var code: Code
    /// Subject, fact and, unless ``remedy`` has it, what to do; Grafana's own words where it has some.
    public var message: String
    /// What to do, when the message does not say so.
    public var remedy: String
    /// What a catalogue answered, to pass its own 4xx on; nil when no catalogue is to blame.
    public var catalogStatus: Int?

    /// A failure.
    public init(_ code: Code, _ message: String, remedy: String = "", catalogStatus: Int? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.catalogStatus = catalogStatus
    }

    /// The message, the remedy and the code.
    public var description: String {
        remedy.isEmpty ? "\(message) [\(code.rawValue)]" : "\(message); \(remedy) [\(code.rawValue)]"
    }
}

extension CatalogError.Code {
    // What was asked for.
    /// No source has a plugin with this id.
    public static let pluginNotFound = Self(rawValue: "plugin-not-found")
    /// The plugin has no such version.
    public static let versionNotFound = Self(rawValue: "version-not-found")
    /// The version has no build for this machine.
    public static let versionNotSupported = Self(rawValue: "version-not-supported")
    /// No version has a build for this machine.
    public static let machineNotSupported = Self(rawValue: "machine-not-supported")
    /// No version runs with this server.
    public static let serverNotSupported = Self(rawValue: "server-not-supported")
    /// The plugin or what it needs is not installed.
    public static let notInstalled = Self(rawValue: "not-installed")
    /// The same version is installed already.
    public static let alreadyInstalled = Self(rawValue: "already-installed")
    /// The plugin is part of the server.
    public static let corePlugin = Self(rawValue: "core-plugin")
    /// An id that could not be a folder or a part of a URL.
    public static let idInvalid = Self(rawValue: "id-invalid")

    // Where plugins come from.
    /// A catalogue does not answer.
    public static let catalogUnreachable = Self(rawValue: "catalog-unreachable")
    /// A catalogue refuses the request.
    public static let catalogRefused = Self(rawValue: "catalog-refused")
    /// A catalogue's answer is not what its protocol says.
    public static let catalogMalformed = Self(rawValue: "catalog-malformed")
    /// The index of a static catalogue is not signed by a trusted key.
    public static let catalogUntrusted = Self(rawValue: "catalog-untrusted")
    /// The index of a static catalogue is past its date.
    public static let catalogExpired = Self(rawValue: "catalog-expired")
    /// The index of a static catalogue is older than one that was seen before.
    public static let catalogRolledBack = Self(rawValue: "catalog-rolled-back")
    /// A download broke off.
    public static let downloadFailed = Self(rawValue: "download-failed")
    /// A download is not the file that the catalogue names.
    public static let checksumMismatch = Self(rawValue: "checksum-mismatch")

    // Archives.
    /// The file is no zip archive, or a broken one.
    public static let archiveMalformed = Self(rawValue: "archive-malformed")
    /// A name in the archive would leave the folder, or is none that a file can safely have.
    public static let archiveUnsafeName = Self(rawValue: "archive-unsafe-name")
    /// Two names in the archive are, or may be, the same file.
    public static let archiveDuplicateName = Self(rawValue: "archive-duplicate-name")
    /// The archive has a link or a device.
    public static let archiveSpecialFile = Self(rawValue: "archive-special-file")
    /// The archive is or becomes too large.
    public static let archiveTooLarge = Self(rawValue: "archive-too-large")

    // Packages.
    /// The package has no plugin.json, or not one that can be used.
    public static let packageInvalid = Self(rawValue: "package-invalid")
    /// The package is another plugin or version than was asked for.
    public static let packageDiffers = Self(rawValue: "package-differs")
    /// The package has no build for this machine.
    public static let packageWrongMachine = Self(rawValue: "package-wrong-machine")
    /// The package's signature does not allow to install it.
    public static let signatureRefused = Self(rawValue: "signature-refused")
    /// The package comes from another publisher than the one before.
    public static let publisherChanged = Self(rawValue: "publisher-changed")
    /// The package is older than what was installed.
    public static let downgradeRefused = Self(rawValue: "downgrade-refused")
    /// Nobody agreed to the permissions that the plugin asks for.
    public static let permissionsRefused = Self(rawValue: "permissions-refused")
    /// The plugin is pinned to its version.
    public static let versionPinned = Self(rawValue: "version-pinned")

    // The plugins folder.
    /// Another process works on the plugins folder.
    public static let folderBusy = Self(rawValue: "folder-busy")
    /// The plugins folder cannot be read or written.
    public static let folderFailed = Self(rawValue: "folder-failed")
    /// plugins.lock.json cannot be used.
    public static let lockFileInvalid = Self(rawValue: "lock-file-invalid")
    /// There is no former version.
    public static let nothingKept = Self(rawValue: "nothing-kept")
    /// The running server does not take the plugin.
    public static let serverRefused = Self(rawValue: "server-refused")
}
