// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What the kernel says of a process.
public enum ProcessState {
    /// Whether a process runs.
    ///
    /// One that has ended and waits to be reaped does not: when its parent was killed, reaping is init's work.
    public static func isRunning(_ process: Int32) -> Bool {
        guard let state = fields(process)?.first else { return false }
        return state != "Z" && state != "X"
    }

    /// The processes that another one started, also those that it has not waited for.
    public static func children(of parent: Int32) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { fields($0)?.dropFirst().first == "\(parent)" }
    }

    /// What `/proc/PID/stat` says after the name: the state, the parent and so on.
    private static func fields(_ process: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return nil }
        // The name may hold anything, so it ends with the last parenthesis.
        return text.split(separator: ")").last?.split(separator: " ")
    }
}
