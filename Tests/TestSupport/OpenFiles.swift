// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What this process has open.
public enum OpenFiles {
    /// The descriptors of a file or folder.
    ///
    /// - Parameter path: With all links resolved.
    public static func descriptors(of path: String) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init).filter {
            descriptor in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")) == path
        }
    }
}
