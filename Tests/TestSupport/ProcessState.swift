// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What the kernel says of a process.
public enum ProcessState {
    /// Whether a process runs.
    ///
    /// One that has ended and waits to be reaped does not: when its parent was killed, reaping is init's work.
    public static func isRunning(_ process: Int32) -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            // The name may hold anything, so the state is what follows its last parenthesis.
            let state = text.split(separator: ")").last?.split(separator: " ").first
        else { return false }
        return state != "Z" && state != "X"
    }
}
