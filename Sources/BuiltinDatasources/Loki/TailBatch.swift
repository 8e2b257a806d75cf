// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The lines of one message of the tail, with what makes each of them unique.
struct TailBatch: Sendable {
    let keys: [LogLineKey]
    let isCategorized: Bool
    let droppedCount: Int
    private let all: LogLineBuilder.Columns

    /// Reads a message.
    ///
    /// - Throws: ``PluginError`` `.badData` that says what is wrong with it.
    init(message: UnsafeBufferPointer<UInt8>) throws {
        var parser = LokiAnswerParser(isTail: true, collectsKeys: true)
        try parser.consumeWhole(message)
        try parser.finish()
        self.init(parser)
    }

    /// Takes the lines of a document that was read whole.
    init(_ parser: LokiAnswerParser) {
        var parser = parser
        keys = parser.lines.keys
        isCategorized = parser.envelope.isCategorized
        droppedCount = parser.envelope.droppedCount
        all = parser.takeLines()
    }

    var isEmpty: Bool { keys.isEmpty && droppedCount == 0 }

    /// Some of the lines, in their order.
    func columns(_ rows: [Int]) -> LogLineBuilder.Columns {
        guard rows.count < keys.count else { return all }
        func texts<Element: ColumnElement>(_ column: Column, as type: Element.Type) -> Column {
            Column(rows.lazy.compactMap { column[$0, as: type] })
        }
        return LogLineBuilder.Columns(
            labels: texts(all.labels, as: JSONText.self), times: texts(all.times, as: Timestamp.self),
            lines: texts(all.lines, as: String.self), nanoseconds: texts(all.nanoseconds, as: String.self),
            labelTypes: texts(all.labelTypes, as: JSONText.self), ids: texts(all.ids, as: String.self))
    }
}
