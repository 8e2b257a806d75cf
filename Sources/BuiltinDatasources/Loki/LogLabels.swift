// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The labels of a log line, from all that it belongs to.
struct LogLabels: Sendable {
    /// Where a label comes from, by the letters of Grafana's `labelTypes`.
    enum Category: UInt8, Sendable {
        /// Of the stream.
        case indexed = 0x49
        /// Structured metadata of the line.
        case structured = 0x53
        /// Parsed out of the line by the query.
        case parsed = 0x50
    }

    private struct Entry: Sendable {
        var name: String
        var value: String
        var category: Category
    }

    static let maximumCount = 10_000
    static let maximumBytes = 1 << 20

    private var entries: [Entry] = []
    private var byteCount = 0

    var isEmpty: Bool { entries.isEmpty }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        byteCount = 0
    }

    /// - Throws: ``PluginError`` `.limit` for more labels than a line can sensibly have.
    mutating func add(_ name: String, _ value: String, _ category: Category) throws {
        entries.append(Entry(name: name, value: value, category: category))
        byteCount += name.utf8.count + value.utf8.count
        guard entries.count <= Self.maximumCount, byteCount <= Self.maximumBytes else {
            throw PluginError(
                .limit,
                "the server's answer has a line with more than \(Self.maximumCount) labels, or more than "
                    + "\(Self.maximumBytes) bytes of them; drop labels in the query",
                source: .downstream)
        }
    }

    /// Two JSON objects whose keys are sorted by bytes: the values, and the letters of the categories.
    struct Texts: Sendable {
        var labels: [UInt8]
        var types: [UInt8]
    }

    /// These with those of a line: the later category wins, and within one the later label.
    func texts(with line: LogLabels) -> Texts {
        var all = entries
        all += line.entries
        // The sort is stable: of one name the last stays last.
        all.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        var labels = ByteWriter()
        var types = ByteWriter()
        labels.append(UInt8(ascii: "{"))
        types.append(UInt8(ascii: "{"))
        var isFirst = true
        for (index, entry) in all.enumerated() {
            if index + 1 < all.count, all[index + 1].name.utf8.elementsEqual(entry.name.utf8) { continue }
            if !isFirst {
                labels.append(UInt8(ascii: ","))
                types.append(UInt8(ascii: ","))
            }
            isFirst = false
            labels.append(jsonString: entry.name)
            labels.append(UInt8(ascii: ":"))
            labels.append(jsonString: entry.value)
            types.append(jsonString: entry.name)
            types.append(literal: ":\"")
            types.append(entry.category.rawValue)
            types.append(UInt8(ascii: "\""))
        }
        labels.append(UInt8(ascii: "}"))
        types.append(UInt8(ascii: "}"))
        return Texts(labels: labels.finish(), types: types.finish())
    }
}
