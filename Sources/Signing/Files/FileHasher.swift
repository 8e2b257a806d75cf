// SPDX-License-Identifier: Apache-2.0

internal import Crypto
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Computes the digest of bytes that arrive in pieces, so that what is hashed can be what is loaded.
public struct FileHasher {
    private var hash = SHA256()

    /// A hasher of no bytes.
    public init() {}

    /// Adds a piece.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hash.update(bufferPointer: bytes)
    }

    /// The digest of all pieces.
    public func digest() -> FileDigest {
        FileDigest(hash.finalize())
    }

    /// The digest of bytes in memory.
    public static func digest(of bytes: [UInt8]) -> FileDigest {
        FileDigest(SHA256.hash(data: bytes))
    }

    /// The digest of a regular file.
    ///
    /// - Throws: ``SigningError`` `.fileUnreadable` or `.fileSpecial`.
    public static func digest(ofFile path: String) throws(SigningError) -> FileDigest {
        var hasher = FileHasher()
        try FileAccess.read(path) { (piece) throws(SigningError) in hasher.update(piece) }
        return hasher.digest()
    }
}

extension FileDigest {
    fileprivate init(_ digest: SHA256.Digest) {
        bytes = Array(digest)
    }
}

/// Hashes many files on all cores.
enum ParallelDigests {
    /// The digests of files in the order of their paths.
    static func of(_ paths: [String], in content: some PluginContent) -> [Result<FileDigest, SigningError>] {
        let next = Atomic<Int>(0)
        let results = Mutex([Result<FileDigest, SigningError>?](repeating: nil, count: paths.count))
        let threads = min(paths.count, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while true {
                let place = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard place < paths.count else { return }
                let result = Result { () throws(SigningError) in try content.digest(of: paths[place]) }
                results.withLock { $0[place] = result }
            }
        }
        return results.withLock { $0.compactMap { $0 } }
    }
}
