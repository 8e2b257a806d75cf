// SPDX-License-Identifier: Apache-2.0

/// One entry of an archive, as its directory describes it; nothing of it is to be believed.
struct ArchiveEntry: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        case file
        case folder
        case link
        /// A device, socket or pipe.
        case special
    }

    /// The place in the archive's directory.
    var index: UInt64
    /// The bytes of the name, folders with a slash at the end.
    var name: [UInt8]
    var kind: Kind
    /// Whether the owner may execute it.
    var isExecutable: Bool
    var packedBytes: UInt64
    var size: UInt64
    var isEncrypted: Bool
    /// Whether the entry is packed in a way that every program reads: stored or deflated.
    var isCommonMethod: Bool

    /// The name as a person may see it.
    var shownName: String { String(decoding: name.prefix(200), as: UTF8.self) }
}

/// What an archive may be at most.
public struct ArchiveLimits: Sendable, Equatable {
    /// Entries, folders included.
    public var entries = 100_000
    /// Bytes of all files together.
    public var totalBytes: UInt64 = 4 << 30
    /// How many times its packed size a file or the whole may become; deflate cannot reach more than 1032.
    public var ratio: UInt64 = 200
    /// Up to this size any ratio will do: small files of zeros are common.
    public var ratioFreeBytes: UInt64 = 16 << 20
    /// Levels of folders; the loader reads 64.
    public var depth = 32
    /// Bytes of one name with its folders.
    public var nameBytes = 1024

    /// What a package may be at most.
    public init() {}
}
