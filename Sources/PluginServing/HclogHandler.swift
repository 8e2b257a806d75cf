// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Logging
internal import PluginABI

/// Writes log lines to standard error as hclog's JSON, which Grafana reads with their level and fields.
struct HclogHandler: LogHandler {
    let module: String
    var metadata: Logger.Metadata = [:]
    /// The host leaves out what it does not want.
    var logLevel = Logger.Level.debug

    init(module: String) { self.module = module }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields: JSONObject = [:]
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { fields[key] = .string("\(value)") }
        Self.write(level: event.level, event.message.description, module: module, fields)
    }

    static func write(level: Logger.Level, _ message: String, module: String, _ fields: JSONObject) {
        var line: JSONObject = [
            "@level": .string(name(of: level)), "@message": .string(message), "@module": .string(module),
            "@timestamp": .string(now),
        ]
        for (key, value) in fields where !key.hasPrefix("@") { line[key] = value }
        var text = JSONValue.object(line).encoded() + "\n"
        // One write a line: the lines of several threads do not mix. A log that cannot be written has nowhere to say so.
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func name(of level: Logger.Level) -> String {
        switch level {
        case .trace: "trace"
        case .debug: "debug"
        case .info, .notice: "info"
        case .warning: "warn"
        case .error, .critical: "error"
        }
    }

    /// The time in UTC, to the microsecond: `2006-01-02T15:04:05.000000Z`.
    private static var now: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let microseconds = String(1_000_000 + time.tv_nsec / 1_000).dropFirst()
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):"
            + "\(two(parts.tm_min)):\(two(parts.tm_sec)).\(microseconds)Z"
    }
}
