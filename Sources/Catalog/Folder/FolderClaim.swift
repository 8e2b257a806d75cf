// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import Synchronization

/// The right of one process to change a plugins folder, held until the value goes or the process dies.
///
/// Taking it finishes or undoes what a killed process left, and clears its rubbish away.
public final class FolderClaim: Sendable {
    let folder: PluginsFolder
    private let descriptor: Int32
    private let stagingCount = Mutex(0)

    /// Makes the folder if need be and takes the lock, without waiting.
    ///
    /// - Throws: ``CatalogError`` `.folderBusy` with the process that holds it, `.folderFailed`.
    public init(_ folder: PluginsFolder) throws {
        try folder.make()
        try FileTree.makeFolder(folder.workspace)
        let path = "\(folder.workspace)/lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw CatalogError.system("open", path, errno) }
        guard linux_try_lock(descriptor) == 0 else {
            let holder = Self.holder(descriptor)
            close(descriptor)
            throw CatalogError(
                .folderBusy,
                "'\(folder.path)': another process\(holder) changes plugins there right now; wait for it and try again")
        }
        self.folder = folder
        self.descriptor = descriptor
        note(descriptor)
        // From here on the deinitialiser closes the descriptor, also when something throws: every property has its value.
        try Switch.recover(folder)
        for leftover in [folder.staging] + folder.temporaries { try FileTree.remove(leftover) }
    }

    deinit {
        // What cannot be given away now is given by the next claim of root.
        if let owner = PluginsFolder.Owner(of: folder) {
            for path in [folder.workspace, folder.lockFile] { try? owner.adopt(path) }
        }
        linux_unlock(descriptor)
        close(descriptor)
    }

    /// A new, empty folder for work; whoever takes the next claim removes it if nobody has before.
    func makeStaging() throws -> String {
        try FileTree.makeFolder(folder.staging)
        let number = stagingCount.withLock { count in
            count += 1
            return count
        }
        let path = "\(folder.staging)/\(number)"
        guard mkdir(path, 0o700) == 0 else { throw CatalogError.system("make", path, errno) }
        return path
    }

    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(count, 0)).prefix { $0 != 0x0A }, as: UTF8.self)
        return Int(text).map { " (pid \($0))" } ?? ""
    }
}

/// Writes who holds the lock, for the message of others; it stays without effect when that fails.
private func note(_ descriptor: Int32) {
    let text = Array("\(getpid())\n".utf8)
    _ = ftruncate(descriptor, 0)
    _ = pwrite(descriptor, text, text.count, 0)
}
