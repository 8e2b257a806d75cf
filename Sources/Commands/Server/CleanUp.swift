// SPDX-License-Identifier: Apache-2.0
import Logging
import ServiceLifecycle
import Storage

/// Deletes expired sessions and old login attempts, every ten minutes.
struct CleanUp: Service, CustomStringConvertible {
    /// Its name in the log, which would show all its parts otherwise.
    var description: String { "clean-up" }

    let stores: Stores

    func run() async throws {
        let logger = Logger(label: "cleanup")
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    let sessions = try await stores.sessions.deleteExpired()
                    try await stores.loginAttempts.deleteOld()
                    logger.debug("Cleaned up", metadata: ["sessions": "\(sessions)"])
                } catch {
                    logger.error("Clean-up failed", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .seconds(600))
            }
        }
    }
}
