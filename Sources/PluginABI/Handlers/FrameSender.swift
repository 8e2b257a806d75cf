// SPDX-License-Identifier: Apache-2.0

/// An open frame of a query, whose rows are sent in parts.
public struct FrameSender: Sendable {
    let call: CallBridge
    let number: UInt32
    let schema: FrameSchema

    /// Appends rows; the fields must have the names and types of the frame that was opened.
    ///
    /// Suspends while the reader is behind.
    ///
    /// - Throws: ``PluginError`` `.state` for other fields, `.limit` when the call's budget is spent, `.cancelled`.
    public func append(_ rows: DataFrame) async throws {
        let fields = FrameSchema(of: rows).fields
        guard fields.count == schema.fields.count,
            zip(fields, schema.fields).allSatisfy({ $0.name == $1.name && $0.type == $1.type })
        else {
            throw PluginError(.state, "rows have other fields than the frame that they belong to", source: .plugin)
        }
        try await call.append(rows, number: number)
    }
}

extension QueryResponder {
    /// Opens a frame with its first rows, to which more are appended.
    ///
    /// A field that may hold nulls later must be nullable now.
    ///
    /// - Throws: as ``send(_:)`` does.
    public func open(_ frame: DataFrame) async throws -> FrameSender {
        var frame = frame
        if frame.refID.isEmpty { frame.refID = refID }
        let number = try await call.send(frame, refID: refID)
        return FrameSender(call: call, number: number, schema: FrameSchema(of: frame))
    }
}

extension CallContext {
    /// The bytes of frames that the call may still send; nil when there is no bound.
    public var bytesLeft: Int? { call.bytesLeft }
}
