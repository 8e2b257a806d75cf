// SPDX-License-Identifier: Apache-2.0
import Logging
import Synchronization

/// What a test's platform writes to its log.
final class RecordedLog: Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    var handler: any LogHandler { Handler(log: self) }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 })
            log.lines.withLock { $0.append("\(event.level) \(event.message) \(facts)") }
        }
    }
}
