// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginABI
import PluginHost
import ServiceLifecycle
import Synchronization

/// The times that channels live by; tests shorten them.
struct LivePolicy: Sendable {
    /// How often a channel looks whether somebody listens.
    var presencePeriod = Duration.seconds(5)
    /// After so many looks without a listener the channel's run ends.
    var presenceMisses = 3
    /// The first pause before a run that failed is repeated; it doubles.
    var firstPause = Duration.milliseconds(100)
    var longestPause = Duration.seconds(5)
}

/// Runs the channels of data sources: one `RunStream` each, shared by all listeners, repeated when it fails.
final class LiveChannels: Service {
    private struct Job: Sendable {
        var channel: LiveChannel
        var facts: CallFacts
    }

    private let platform: PluginPlatform
    private let resolver: DataSourceResolver
    private let policy: LivePolicy
    private let logger: Logger
    private let channels = Mutex<[LiveChannelKey: LiveChannel]>([:])
    private let jobs: AsyncStream<Job>
    private let submitter: AsyncStream<Job>.Continuation

    init(platform: PluginPlatform, resolver: DataSourceResolver, policy: LivePolicy = LivePolicy(), logger: Logger) {
        self.platform = platform
        self.resolver = resolver
        self.policy = policy
        self.logger = logger
        (jobs, submitter) = AsyncStream.makeStream()
    }

    /// Joins a channel, and starts it when nobody listened before.
    func join(
        _ key: LiveChannelKey, facts: CallFacts
    ) -> (channel: LiveChannel, number: Int, messages: AsyncStream<LiveMessage>) {
        channels.withLock { channels in
            if let channel = channels[key], let (number, messages) = channel.join() {
                return (channel, number, messages)
            }
            let channel = LiveChannel(key: key)
            channels[key] = channel
            submitter.yield(Job(channel: channel, facts: facts))
            // '!': a channel that was just made is not over.
            let (number, messages) = channel.join()!
            return (channel, number, messages)
        }
    }

    /// Runs channels until the server shuts down.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            for await job in jobs.cancelOnGracefulShutdown() {
                group.addTask { await self.serve(job) }
            }
            for channel in self.channels.withLock({ $0.values.map { $0 } }) {
                channel.end("the server is shutting down")
            }
            group.cancelAll()
        }
    }

    private func serve(_ job: Job) async {
        let reason = await withTaskGroup(of: String?.self) { group in
            group.addTask { await self.repeatRuns(job) }
            group.addTask {
                await self.watchPresence(job.channel)
                return nil
            }
            let reason = await group.next() ?? nil
            group.cancelAll()
            return reason
        }
        channels.withLock { channels in
            if channels[job.channel.key] === job.channel { channels[job.channel.key] = nil }
        }
        job.channel.end(reason)
    }

    /// Returns when nobody has listened for a while.
    private func watchPresence(_ channel: LiveChannel) async {
        var misses = 0
        while misses < policy.presenceMisses {
            guard (try? await Task.sleep(for: policy.presencePeriod)) != nil else { return }
            channel.send(.keepAlive)
            misses = channel.listenerCount == 0 ? misses + 1 : 0
        }
    }

    /// Failures that another run would meet again.
    private static let finalCodes: Set<PluginError.Code> = [
        .unsupported, .notFound, .invalid, .unauthenticated, .forbidden,
    ]

    /// Runs the stream, and again when it fails or the data source changed.
    ///
    /// - Returns: Why the channel is over; nil: the plugin ended it.
    private func repeatRuns(_ job: Job) async -> String? {
        var pause = policy.firstPause
        var token: [UInt8] = []
        while !Task.isCancelled {
            let began = ContinuousClock.now
            do {
                try await runOnce(job, token: &token)
                return nil
            } catch let error as APIError {
                return error.message
            } catch let error as PluginError where Self.finalCodes.contains(error.code) {
                return error.message
            } catch {
                logger.debug(
                    "A live channel failed and is run again",
                    metadata: ["channel": "ds/\(job.channel.key.uid)/\(job.channel.key.path)", "error": "\(error)"])
            }
            if ContinuousClock.now - began < policy.firstPause {
                guard (try? await Task.sleep(for: pause)) != nil else { return nil }
                pause = min(pause * 2, policy.longestPause)
            } else {
                pause = policy.firstPause
            }
        }
        return nil
    }

    private func runOnce(_ job: Job, token: inout [UInt8]) async throws {
        let key = job.channel.key
        // Looked up for each run, so that changed settings take effect and a deleted source ends the channel.
        let source = try await resolver.find(.uid(key.uid), orgID: key.orgID)
        let request = StreamRequest(path: key.path, data: key.data, resumeToken: token)
        let events = try await platform.runStream(request, of: source.configuration, facts: job.facts)
        var encoder = LiveFrameEncoder()
        for await event in events {
            switch event {
            case .frame(_, let frame), .rows(_, let frame):
                let (message, schema) = encoder.encode(frame)
                job.channel.send(.data(message), schema: schema)
            case .bytes(let chunk): job.channel.send(.data(chunk.array))
            case .checkpoint(let value): token = value
            case .completed(let error):
                if let error { throw error }
            case .head, .notice, .failed: break
            }
        }
    }
}
