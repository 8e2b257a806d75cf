// SPDX-License-Identifier: Apache-2.0
import Glibc
import Logging
import PluginABI
import Settings
import Synchronization

/// Where log lines go: the console and a file, each with a level and a format of its own.
final class LogOutput: Sendable {
    enum Format {
        case text
        case json
    }

    private struct Target {
        var descriptor: Int32
        var path: String?
        var level: Logger.Level
        var format: Format
    }

    private let targets: Mutex<[Target]>
    /// `[log] filters`: levels of single loggers.
    private let filters: [String: Logger.Level]
    /// The least level of all targets.
    let level: Logger.Level

    /// - Throws: ``SettingsError`` for a level that does not exist, ``CommandFailure`` for a file that cannot be opened.
    init(_ settings: Settings) throws {
        let standard = try Self.level(settings.string("log", "level"), "log") ?? .info
        var targets: [Target] = []
        for mode in settings.list("log", "mode") {
            let section = "log." + mode
            let level = try Self.level(settings.string(section, "level"), section) ?? standard
            let format: Format = settings.string(section, "format") == "json" ? .json : .text
            switch mode {
            case "console": targets.append(Target(descriptor: STDERR_FILENO, level: level, format: format))
            case "file":
                let folder = settings.path("paths", "logs")
                try Folder.make(folder)
                let path = folder + "/grafana.log"
                targets.append(Target(descriptor: try Self.open(path), path: path, level: level, format: format))
            default:
                throw CommandFailure(
                    .configuration, "[log] mode has '\(mode)'; this version writes to console and file")
            }
        }
        var filters: [String: Logger.Level] = [:]
        for filter in settings.list("log", "filters") {
            let parts = filter.split(separator: ":", maxSplits: 1).map(String.init)
            if parts.count == 2 { filters[parts[0]] = try Self.level(parts[1], "log") }
        }
        self.filters = filters
        level = (targets.map(\.level) + filters.values).min() ?? standard
        self.targets = Mutex(targets)
    }

    private static func level(_ name: String, _ section: String) throws -> Logger.Level? {
        switch name.lowercased() {
        case "": return nil
        case "debug": return .debug
        case "info": return .info
        case "warn", "warning": return .warning
        case "error": return .error
        case "critical": return .critical
        case "trace": return .trace
        default:
            throw CommandFailure(
                .configuration,
                "[\(section)] level is '\(name)'; it is one of trace, debug, info, warn, error, critical")
        }
    }

    private static func open(_ path: String) throws -> Int32 {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw CommandFailure(
                .inputOutput, "the log file '\(path)' cannot be opened: \(reason); set another folder in [paths] logs")
        }
        return descriptor
    }

    /// Opens the log file anew, after it was moved away.
    func reopen() {
        targets.withLock { targets in
            for index in targets.indices {
                guard let path = targets[index].path, let fresh = try? Self.open(path) else { continue }
                close(targets[index].descriptor)
                targets[index].descriptor = fresh
            }
        }
    }

    func write(_ line: LogLine) {
        targets.withLock { targets in
            for target in targets where line.level >= filters[line.logger] ?? target.level {
                var bytes = target.format == .json ? line.json : line.text
                bytes.withUTF8 { utf8 in
                    // A log that cannot be written has nowhere to say so.
                    _ = Glibc.write(target.descriptor, utf8.baseAddress, utf8.count)
                }
            }
        }
    }
}

/// One line of the log.
struct LogLine {
    var logger: String
    var level: Logger.Level
    var message: String
    /// In the order of their names.
    var facts: [(key: String, value: String)]
    var time: String

    /// `logger=server t=… level=info msg="…" key=value`, as Grafana writes it.
    var text: String {
        var line = "logger=\(Self.quoted(logger)) t=\(time) level=\(levelName) msg=\(Self.quoted(message))"
        for (key, value) in facts { line += " \(Self.name(key))=\(Self.quoted(value))" }
        return line + "\n"
    }

    var json: String {
        var object: JSONObject = [
            "t": .string(time), "level": .string(levelName), "logger": .string(logger), "msg": .string(message),
        ]
        for (key, value) in facts { object[Self.name(key)] = .string(value) }
        return JSONValue.object(object).encoded() + "\n"
    }

    /// The name of a fact: it cannot pass for a part of the line itself, nor break it.
    private static func name(_ key: String) -> String {
        let clean = String(key.map { $0.isLetter || $0.isNumber || "._-".contains($0) ? $0 : "_" })
        return ["t", "level", "logger", "msg"].contains(clean) ? "fact.\(clean)" : clean
    }

    private var levelName: String { level == .warning ? "warn" : level.rawValue }

    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 32 && $0 != 34 && $0 != 61 && $0 != 127 }
        return isPlain ? value : JSONValue.string(value).encoded()
    }
}

/// Hands log lines to the output.
struct LogfmtHandler: LogHandler {
    let label: String
    let output: LogOutput
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    init(label: String, output: LogOutput) {
        self.label = label
        self.output = output
        logLevel = output.level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let facts = all.sorted { $0.key < $1.key }.map { (key: $0.key, value: "\($0.value)") }
        output.write(
            LogLine(
                logger: label, level: event.level, message: event.message.description, facts: facts, time: Self.now))
    }

    /// The time in UTC, to the millisecond.
    private static var now: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let milliseconds = String(1_000 + time.tv_nsec / 1_000_000).dropFirst()
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):"
            + "\(two(parts.tm_min)):\(two(parts.tm_sec)).\(milliseconds)Z"
    }
}
