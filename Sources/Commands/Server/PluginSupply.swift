// SPDX-License-Identifier: Apache-2.0
import Catalog
import Logging
import ServiceLifecycle

/// Installs what the settings want while the server serves, then follows the other servers of the database.
struct PluginSupply: Service, CustomStringConvertible {
    /// Its name in the log, which would show all its parts otherwise.
    var description: String { "plugin supply" }

    let administration: PluginAdministration

    /// How late a server may be with what was installed through another one.
    private static let interval = Duration.seconds(10)

    func run() async throws {
        let logger = Logger(label: "plugins.supply")
        await cancelWhenGracefulShutdown {
            await administration.preinstallInBackground()
            while !Task.isCancelled {
                do {
                    try await administration.converge()
                } catch {
                    logger.error("Plugins of the other servers are not known", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
