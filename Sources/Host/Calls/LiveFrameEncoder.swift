// SPDX-License-Identifier: Apache-2.0
public import PluginABI

/// Writes the frames of a channel as JSON: the schema with the first, then rows only until it changes.
public struct LiveFrameEncoder {
    private var schema: [UInt8]?

    /// An encoder of a channel of which nothing was sent.
    public init() {}

    /// Encodes the next frame.
    ///
    /// - Returns: The message, and the schema alone when it is new.
    public mutating func encode(_ frame: DataFrame) -> (message: [UInt8], schema: [UInt8]?) {
        var writer = ByteWriter()
        frame.writeJSON(into: &writer, include: .schemaOnly)
        let current = writer.finish()
        let isNew = current != schema
        schema = current
        var message = ByteWriter()
        frame.writeJSON(into: &message, include: isNew ? .all : .dataOnly)
        return (message.finish(), isNew ? current : nil)
    }
}
