// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Collects log lines, of all streams in the order in which they come.
struct LogLineBuilder: Sendable {
    /// The columns of the lines since the last ``takeColumns()``.
    struct Columns: Sendable {
        var labels: Column
        var times: Column
        var lines: Column
        var nanoseconds: Column
        var labelTypes: Column
        var ids: Column
    }

    static let maximumLines = 10_000_000

    private var labels = ColumnBuilder<JSONText>()
    private var times = ColumnBuilder<Timestamp>()
    private var lines = ColumnBuilder<String>()
    private var nanoseconds = ColumnBuilder<String>()
    private var labelTypes = ColumnBuilder<JSONText>()
    private var ids = ColumnBuilder<String>()
    private var identities = LogLineIdentities()

    /// What the columns take in memory, about.
    private(set) var byteCount = 0
    /// All lines, also those that were taken.
    private(set) var lineCount = 0

    /// Whether ``keys`` are collected.
    var collectsKeys = false
    /// One a line since the last ``takeColumns()``.
    private(set) var keys: [LogLineKey] = []

    private var stream = LogLabels()
    private var streamTexts: LogLabels.Texts?
    private var line = LogLabels()
    private var time: Timestamp?
    private var hash: LineHash?
    private var lineBytes = 0
    private var key: LogLineKey?

    // MARK: The stream and its lines

    mutating func beginStream() {
        stream.removeAll()
        streamTexts = nil
    }

    mutating func addStreamLabel(_ name: String, _ value: String) throws {
        try stream.add(name, value, .indexed)
    }

    mutating func endStreamLabels() { streamTexts = stream.texts(with: LogLabels()) }

    mutating func beginLine() {
        line.removeAll()
        time = nil
        hash = nil
        key = nil
    }

    var hasTime: Bool { time != nil }

    mutating func take(time: Timestamp) { self.time = time }

    /// Takes the line itself; the bytes are UTF-8.
    mutating func take(line bytes: UnsafeBufferPointer<UInt8>) throws {
        guard time != nil, hash == nil else { throw Self.malformed }
        lines.appendUTF8(bytes)
        lineBytes = bytes.count
        hash = LineHash(bytes)
        if collectsKeys, let time {
            var key = LogLineKey(time: time)
            key.add(bytes)
            self.key = key
        }
    }

    mutating func addLineLabel(_ name: String, _ value: String, _ category: LogLabels.Category) throws {
        try line.add(name, value, category)
    }

    /// Completes the row.
    ///
    /// - Throws: ``PluginError`` `.badData` when a part of it is missing, `.limit` after ``maximumLines``.
    mutating func endLine() throws {
        guard let time, var hash else { throw Self.malformed }
        guard let streamTexts else {
            throw JSONTokenizer.failure("is not that of a Loki API: a stream's lines come before its labels")
        }
        guard lineCount < Self.maximumLines else {
            throw PluginError(
                .limit, "the server's answer has more than \(Self.maximumLines) lines; ask for fewer",
                source: .downstream)
        }
        let texts = line.isEmpty ? streamTexts : stream.texts(with: line)
        if collectsKeys, var key {
            streamTexts.labels.withUnsafeBufferPointer { key.add($0) }
            keys.append(key)
        }
        hash.add(UInt8(ascii: "_"))
        texts.labels.withUnsafeBufferPointer { text in
            labels.appendUTF8(text)
            hash.add(text)
        }
        texts.types.withUnsafeBufferPointer { labelTypes.appendUTF8($0) }
        times.append(time)
        nanoseconds.append(String(time.nanoseconds))
        ids.append(identities.next(time: time, hash: hash.value))
        // Counted by whole rows, so that columns that are taken between two lines have one length.
        byteCount += lineBytes + texts.labels.count + texts.types.count + 96
        lineCount += 1
    }

    static let malformed = JSONTokenizer.failure("has a log line that is not [\"time\", \"line\"]")

    /// Hands out the lines so far.
    mutating func takeColumns() -> Columns {
        byteCount = 0
        keys.removeAll(keepingCapacity: true)
        return Columns(
            labels: labels.finish(), times: times.finish(), lines: lines.finish(), nanoseconds: nanoseconds.finish(),
            labelTypes: labelTypes.finish(), ids: ids.finish())
    }
}

/// The 32-bit FNV-1 hash, which multiplies first.
struct LineHash: Sendable {
    private(set) var value: UInt32 = 2_166_136_261

    init(_ bytes: UnsafeBufferPointer<UInt8>) { add(bytes) }

    @inline(__always)
    mutating func add(_ byte: UInt8) { value = value &* 16_777_619 ^ UInt32(byte) }

    mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) {
        for byte in bytes { add(byte) }
    }
}

/// The names of lines, by which clients tell them apart: `<nanoseconds>_<hash>`, and `_1`, `_2` … behind repeated ones.
///
/// Remembers the last half million of different lines at least, and a million at most.
struct LogLineIdentities: Sendable {
    private struct Key: Hashable, Sendable {
        var time: Timestamp
        var hash: UInt32
    }

    static let generationSize = 500_000

    private var seen: [Key: Int] = [:]
    /// What was seen before that.
    private var older: [Key: Int] = [:]

    mutating func next(time: Timestamp, hash: UInt32) -> String {
        let key = Key(time: time, hash: hash)
        let count = seen[key] ?? older[key] ?? 0
        if seen.count == Self.generationSize {
            older = seen
            seen = [:]
        }
        seen[key] = count + 1
        let name = "\(time.nanoseconds)_\(String(hash, radix: 16))"
        return count == 0 ? name : "\(name)_\(count)"
    }
}

/// What makes a line the same as another for Loki itself: time, text and the labels of the stream.
struct LogLineKey: Hashable, Sendable {
    var time: Timestamp
    /// 64-bit FNV-1a over text and labels, each with its length in front.
    private(set) var hash: UInt64 = 14_695_981_039_346_656_037

    init(time: Timestamp) { self.time = time }

    /// - Parameter hash: As ``hash`` was.
    init(time: Timestamp, hash: UInt64) {
        self.time = time
        self.hash = hash
    }

    mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) {
        withUnsafeBytes(of: UInt64(bytes.count)) { for byte in $0 { add(byte) } }
        for byte in bytes { add(byte) }
    }

    @inline(__always)
    private mutating func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
}
