// SPDX-License-Identifier: Apache-2.0
internal import PluginABI

/// One line of a plugin's standard error, as hclog writes it or as plain text.
package struct PluginLogLine: Sendable, Equatable {
    /// How loud.
    package enum Level: String, Sendable {
        case trace, debug, info, warn, error
    }

    /// How loud; trace counts as debug in the server's log.
    package var level: Level
    /// The text, or the whole line when it has no structure.
    package var message: String
    /// Everything else in a structured line, sorted by key.
    package var fields: [Field] = []

    /// A key and the JSON text of its value; of a string: the string.
    package struct Field: Sendable, Equatable {
        package var key: String
        package var value: String
    }
}

/// Tells log lines apart; remembers that a panic is being printed.
package struct PluginLogParser: Sendable {
    private var isPanicking = false

    package init() {}

    /// Reads one line without its newline.
    ///
    /// - Parameter isPart: whether it is a piece of a line that was too long, which is never parsed.
    package mutating func line(_ text: String, isPart: Bool = false) -> PluginLogLine {
        if isPart { return PluginLogLine(level: .debug, message: text) }
        if text.utf8.first == UInt8(ascii: "{"), let structured = structured(text) { return structured }
        return plain(text)
    }

    private mutating func structured(_ text: String) -> PluginLogLine? {
        guard let value = try? JSONValue(parsing: Array(text.utf8)), let object = value.object else { return nil }
        if let time = object["@timestamp"] {
            guard let stamp = time.string, Self.isTimestamp(stamp) else { return nil }
        }
        let message = object["@message"]?.string ?? ""
        guard let name = object["@level"]?.string, let level = PluginLogLine.Level(rawValue: name) else {
            return PluginLogLine(level: .debug, message: text)
        }
        var line = PluginLogLine(level: level, message: message)
        for key in object.keys where !["@level", "@message", "@timestamp", "timestamp"].contains(key) {
            guard let value = object[key] else { continue }
            line.fields.append(.init(key: key, value: value.string ?? value.encoded()))
        }
        line.fields.sort { $0.key < $1.key }
        return line
    }

    private mutating func plain(_ text: String) -> PluginLogLine {
        for level in [PluginLogLine.Level.trace, .debug, .info, .warn, .error]
        where text.hasPrefix("[\(level.rawValue.uppercased())]") {
            return PluginLogLine(level: level, message: text)
        }
        if text.hasPrefix("panic: ") || text.hasPrefix("fatal error: ") { isPanicking = true }
        return PluginLogLine(level: isPanicking ? .error : .debug, message: text)
    }

    /// Whether a text is `2006-01-02T15:04:05.000000Z` or has an offset such as `+02:00` for the `Z`.
    private static func isTimestamp(_ text: String) -> Bool {
        let pattern = Array("0000-00-00T00:00:00.000000".utf8)
        let bytes = Array(text.utf8)
        guard bytes.count > pattern.count else { return false }
        for (byte, expected) in zip(bytes, pattern) {
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            guard expected == UInt8(ascii: "0") ? isDigit : byte == expected else { return false }
        }
        let zone = bytes[pattern.count...]
        if zone.elementsEqual("Z".utf8) { return true }
        return zone.count == 6 && (zone.first == UInt8(ascii: "+") || zone.first == UInt8(ascii: "-"))
    }
}

/// Cuts a stream of bytes into lines of at most 64 KiB.
package struct LineSplitter: Sendable {
    /// A line, or a piece of one that is longer.
    package struct Line: Sendable, Equatable {
        package var text: String
        package var isPart: Bool
    }

    /// Longer lines come in pieces.
    package static let limit = 64 * 1024
    private var pending: [UInt8] = []
    private var isContinued = false

    package init() {}

    /// The lines that these bytes complete.
    package mutating func received(_ bytes: some Collection<UInt8>) -> [Line] {
        var lines: [Line] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n"))
            let room = Self.limit - pending.count
            let piece = rest[..<(end ?? rest.endIndex)].prefix(room)
            pending += piece
            rest = rest[piece.endIndex...]
            if rest.startIndex == end {
                lines.append(take(isPart: isContinued))
                isContinued = false
                rest = rest.dropFirst()
            } else if !rest.isEmpty {
                lines.append(take(isPart: true))
                isContinued = true
            }
        }
        return lines
    }

    /// The last line, when it has no newline.
    package mutating func ended() -> Line? { pending.isEmpty ? nil : take(isPart: isContinued) }

    private mutating func take(isPart: Bool) -> Line {
        defer { pending.removeAll(keepingCapacity: true) }
        if pending.last == UInt8(ascii: "\r") { pending.removeLast() }
        return Line(text: String(decoding: pending, as: UTF8.self), isPart: isPart)
    }
}
