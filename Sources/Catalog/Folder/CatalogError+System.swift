// SPDX-License-Identifier: Apache-2.0
import Glibc

extension CatalogError {
    /// A system call that failed on a file.
    ///
    /// - Parameter operation: What was tried, such as `open`.
    static func system(_ operation: String, _ path: String, _ number: Int32) -> CatalogError {
        let reason = strerror(number).map { String(cString: $0) } ?? "errno \(number)"
        let remedy =
            switch number {
            case EACCES, EPERM, EROFS: "run this as the user that owns the plugins folder, or choose another folder"
            case ENOSPC, EDQUOT, EFBIG: "make room on the disk"
            case EMFILE, ENFILE: "raise the limit of open files"
            default: "see whether the path is right and the disk is sound"
            }
        return CatalogError(.folderFailed, "'\(path)': cannot \(operation) it: \(reason); \(remedy)")
    }
}
