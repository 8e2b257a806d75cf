// SPDX-License-Identifier: Apache-2.0
public import Logging
public import PluginHost
public import ServiceLifecycle

/// Lets changes of trust reach running plugins: looks at the trust folder as it changes, and at the database every second.
public struct TrustWatch: Service, CustomStringConvertible {
    /// Its name in the log, which would show all its parts otherwise.
    public var description: String { "trust watch" }

    private let trust: ServerTrust
    private let platform: PluginPlatform
    private let period: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// - Parameter period: how often the database is asked whether another server or program changed it.
    public init(
        trust: ServerTrust, platform: PluginPlatform, period: Duration = .seconds(1),
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.trust = trust
        self.platform = platform
        self.period = period
        self.clock = clock
        self.logger = logger
    }

    /// Watches until the server shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await watchFolder() }
                group.addTask { await pollDatabase() }
            }
        }
    }

    private func watchFolder() async {
        guard let folder = trust.folder else { return }
        var isTold = false
        while !Task.isCancelled {
            do {
                // The class says nothing here: only the events count.
                let watcher = try PluginWatcher(sources: [.folder(path: folder, class: .core)])
                try await withTaskCancellationHandler {
                    // What changed between the start of the server and that of the watch.
                    await apply()
                    for await change in watcher.changes {
                        await apply()
                        if let warning = change.warning { throw WatchedInPart(description: warning) }
                    }
                } onCancel: {
                    watcher.stop()
                }
            } catch {
                // The system has no watch to give; a revocation counts all the same.
                if !isTold {
                    logger.warning(
                        "The trust folder cannot be watched; it is read again and again",
                        metadata: ["every": "\(period)", "error": "\(error)"])
                }
                isTold = true
                await apply()
                try? await clock.sleep(for: period)
            }
        }
    }

    /// The system watches a part of the folder only.
    private struct WatchedInPart: Error, CustomStringConvertible {
        let description: String
    }

    private func pollDatabase() async {
        while !Task.isCancelled {
            guard (try? await clock.sleep(for: period)) != nil else { return }
            do {
                guard try await trust.version() != trust.report.version else { continue }
                await apply()
            } catch {
                logger.debug("The trust in the database could not be read", metadata: ["error": "\(error)"])
            }
        }
    }

    private func apply() async {
        if await trust.reload() { await platform.trustChanged() }
    }
}
