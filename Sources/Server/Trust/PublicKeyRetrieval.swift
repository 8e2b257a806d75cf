// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import FoundationEssentials
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import PluginABI
public import ServiceLifecycle
public import Storage

/// Keeps the public keys that Grafana signs plugins with current, by asking its API once in ten days.
///
/// Off unless the settings ask for it. What an answer brings is kept in the database, so one server's answer serves all
/// that share it, and no server needs the network to start. An answer that cannot be read changes nothing.
/// - SeeAlso: Grafana, `pkg/services/pluginsintegration/keyretriever/dynamic/dynamic_retriever.go`.
public struct PublicKeyRetrieval: Service, CustomStringConvertible {
    /// Its name in the log, which would show all its parts otherwise.
    public var description: String { "key retrieval" }

    /// When and where keys are asked for.
    public struct Options: Sendable {
        /// `[grafana_com] api_url`, without a slash at the end.
        public var apiURL = "https://grafana.com/api"
        /// `[plugins] public_key_retrieval_on_startup`: also at the start, however young the keys are.
        public var asksAtStart = false
        /// How old the keys may become.
        public var interval = Duration.seconds(10 * 24 * 3600)
        /// The least pause before the first question, so that a server that is restarted again and again asks nobody.
        public var firstWait = Duration.seconds(60)
        /// The pause after a question that failed.
        public var retryWait = Duration.seconds(3600)
        /// For a whole exchange.
        public var timeout = Duration.seconds(10)

        /// Grafana's own values.
        public init() {}
    }

    private let options: Options
    private let keys: PublicKeyStore
    private let firstKeys: [String: String]
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// The watch of the database tells the servers what changed.
    ///
    /// - Parameters:
    ///   - inspect: the key id of an armored public key that may verify signatures, in lower-case hex digits; nil for any
    ///     other text.
    ///   - firstKeys: what is known before the first answer: key id → armored key.
    public init(
        options: Options, keyValues: Storage.KeyValueStore, inspect: @escaping @Sendable (String) -> String?,
        firstKeys: [String: String] = [:], clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.options = options
        keys = PublicKeyStore(store: keyValues, inspect: inspect)
        self.firstKeys = firstKeys
        self.clock = clock
        self.logger = logger
    }

    /// Asks until the server shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            do {
                try await keys.seed(with: firstKeys)
            } catch {
                logger.warning("The first public keys could not be stored", metadata: ["error": "\(error)"])
            }
            var wait = options.asksAtStart ? Duration.zero : await pause()
            while !Task.isCancelled {
                if wait > .zero { guard (try? await clock.sleep(for: wait)) != nil else { return } }
                do {
                    try await refresh()
                    wait = options.interval
                } catch {
                    guard !Task.isCancelled else { return }
                    logger.warning(
                        "Public keys of plugins could not be fetched; those that are known stay",
                        metadata: ["url": "\(options.apiURL)", "reason": "\(error)"])
                    wait = options.retryWait
                }
            }
        }
    }

    /// The time until the keys are too old, at least the first wait.
    private func pause() async -> Duration {
        guard let updated = try? await keys.lastUpdated() else { return options.firstWait }
        let age = Duration.seconds(max(0, Date().timeIntervalSince(updated)))
        return max(options.firstWait, options.interval - age)
    }

    /// Asks once, and keeps what came.
    ///
    /// - Throws: ``PublicKeyAnswer/Failure``, `StorageError`, or an error of the HTTP client.
    func refresh() async throws {
        let bytes = try await fetch()
        let answer = try PublicKeyAnswer(bytes, inspect: keys.inspect)
        for refused in answer.refused {
            logger.warning("A public key of plugins is not taken", metadata: ["reason": "\(refused)"])
        }
        let isChanged = try await keys.replace(with: answer.keys, at: Date())
        logger.info(
            "Public keys of plugins fetched",
            metadata: ["keys": "\(answer.keys.keys.sorted().joined(separator: " "))", "changed": "\(isChanged)"])
    }

    private func fetch() async throws -> [UInt8] {
        var configuration = AsyncHTTPClient.HTTPClient.Configuration()
        // An answer from elsewhere than where the operator sent us is no answer.
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = AsyncHTTPClient.HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        do {
            let bytes = try await fetch(with: client)
            try await client.shutdown()
            return bytes
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private func fetch(with client: AsyncHTTPClient.HTTPClient) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: options.apiURL + "/plugins/ci/keys")
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "user-agent", value: "Grafana/\(ServerOptions.announcedVersion)")
        let deadline = NIODeadline.now() + .nanoseconds(options.timeout.nanosecondsClamped)
        let response = try await client.execute(request, deadline: deadline)
        guard response.status == .ok else {
            throw PublicKeyAnswer.Failure(text: "the answer has status \(response.status.code), not 200")
        }
        var bytes: [UInt8] = []
        for try await part in response.body {
            bytes += part.readableBytesView
            guard bytes.count <= PublicKeyAnswer.largestSize else {
                throw PublicKeyAnswer.Failure(text: "the answer has more than \(PublicKeyAnswer.largestSize) bytes")
            }
        }
        return bytes
    }
}

/// What `GET <api>/plugins/ci/keys` says.
struct PublicKeyAnswer {
    /// Why an answer is not taken.
    struct Failure: Error, CustomStringConvertible {
        var text: String
        var description: String { text }
    }

    /// Bounds on hostile answers; the real one has one key of 2 KiB.
    static let largestSize = 1 << 20
    static let mostKeys = 100

    /// Key id → armored key.
    var keys: [String: String] = [:]
    /// Why items were left out.
    var refused: [String] = []

    /// - Throws: ``Failure`` for anything but an object with a list `items` in which one key at least is good.
    init(_ bytes: [UInt8], inspect: (String) -> String?) throws {
        guard let items = (try? JSONValue(parsing: bytes))?["items"]?.array else {
            throw Failure(text: "the answer is not JSON with a list of items")
        }
        guard !items.isEmpty else { throw Failure(text: "the answer has no keys") }
        guard items.count <= Self.mostKeys else {
            throw Failure(text: "the answer has \(items.count) keys; at most \(Self.mostKeys) are taken")
        }
        for (index, item) in items.enumerated() {
            guard let id = item["keyId"]?.string?.lowercased(), let key = item["public"]?.string else {
                refused.append("item \(index) lacks keyId or public")
                continue
            }
            guard let found = inspect(key) else {
                refused.append("item \(index) holds no public key that may verify signatures")
                continue
            }
            guard found == id else {
                refused.append("item \(index) holds the key \(found) and calls it \(id.prefix(40))")
                continue
            }
            keys[id] = key
        }
        guard !keys.isEmpty else { throw Failure(text: "the answer has no usable key: \(refused[0])") }
    }
}
