// SPDX-License-Identifier: Apache-2.0

/// How near to the server a plugin's code may run.
public enum TrustLevel: String, Sendable, Hashable, Comparable, CaseIterable {
    /// Only in a process of its own.
    case process
    /// Also in the server's process.
    case inProcess = "in-process"

    /// Less trust comes first.
    public static func < (left: TrustLevel, right: TrustLevel) -> Bool {
        left == .process && right == .inProcess
    }
}
