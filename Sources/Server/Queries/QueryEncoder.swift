// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Writes the answer of `POST /api/ds/query` from the Arrow buffers, in the order of the refIds.
///
/// What is complete at the front of that order is written as soon as it is asked for; later queries wait as Arrow, not
/// as text.
struct QueryEncoder {
    /// What the answer looks like.
    enum Format: Sendable {
        /// `{"results":{"A":{"status":200,"frames":[…]}}}`.
        case json
        /// The Arrow IPC streams of all frames, one after the other.
        case arrowStream
    }

    let format: Format
    private var index = 0
    private var framesWritten = 0
    private var hasBegun = false
    private var isHeadWritten = false
    /// Whether the status stands before the frames.
    private var isStatusWritten = false

    init(_ format: Format) {
        self.format = format
    }

    /// Writes what is complete.
    ///
    /// - Parameter writer: Where to; about `target` bytes are written at a time.
    /// - Returns: Whether more is ready at once.
    mutating func write(_ results: inout QueryResults, into writer: inout ByteWriter, target: Int = .max) -> Bool {
        if !hasBegun {
            hasBegun = true
            if format == .json { writer.append(literal: "{\"results\":{") }
        }
        while index < results.order.count {
            let refID = results.order[index]
            while let frame = results.takeFrame(of: refID) {
                write(frame, results.notices(of: refID), refID, results, into: &writer)
                if writer.count >= target { return true }
            }
            guard results.results[refID]?.isClosed == true else { return false }
            if format == .json { writeEnd(refID, results, into: &writer) }
            index += 1
            framesWritten = 0
            isHeadWritten = false
        }
        if index == results.order.count {
            if format == .json { writer.append(literal: "}}") }
            index += 1
        }
        return false
    }

    private mutating func write(
        _ frame: DataFrame, _ notices: [Notice], _ refID: String, _ results: QueryResults, into writer: inout ByteWriter
    ) {
        guard format == .json else {
            var frame = frame
            if !notices.isEmpty {
                var meta = frame.meta ?? FrameMeta()
                meta.notices += notices
                frame.meta = meta
            }
            frame.writeArrowStream(into: &writer)
            return
        }
        writeHead(refID, into: &writer)
        // A query that is over can say its status first, as Grafana does; one that is under way says it last.
        if framesWritten == 0 {
            if let result = results.results[refID], result.isClosed { writeStatus(result, into: &writer) }
            writer.append(literal: "\"frames\":[")
        } else {
            writer.append(UInt8(ascii: ","))
        }
        frame.writeJSON(into: &writer, extraNotices: notices)
        framesWritten += 1
    }

    private mutating func writeHead(_ refID: String, into writer: inout ByteWriter) {
        guard !isHeadWritten else { return }
        isHeadWritten = true
        if index > 0 { writer.append(UInt8(ascii: ",")) }
        writer.append(JSONValue.string(refID).encoded())
        writer.append(literal: ":{")
        isStatusWritten = false
    }

    private mutating func writeStatus(_ result: QueryResults.Result, into writer: inout ByteWriter) {
        isStatusWritten = true
        if let error = result.error {
            writer.append(literal: "\"error\":")
            writer.append(JSONValue.string(error.message).encoded())
            writer.append(literal: ",\"errorSource\":\"")
            if result.hasErrorSource { writer.append(error.source.grafanaName) }
            writer.append(literal: "\",")
        }
        writer.append(literal: "\"status\":")
        writer.append(decimal: result.error.map { $0.httpStatus ?? $0.code.httpStatus } ?? 200)
        writer.append(UInt8(ascii: ","))
    }

    private mutating func writeEnd(_ refID: String, _ results: QueryResults, into writer: inout ByteWriter) {
        guard let result = results.results[refID] else { return }
        let notices = results.notices(of: refID)
        if framesWritten == 0, !notices.isEmpty {
            // Remarks need a frame that carries them.
            write(DataFrame(refID: refID), notices, refID, results, into: &writer)
        }
        writeHead(refID, into: &writer)
        if framesWritten > 0 {
            writer.append(UInt8(ascii: "]"))
            if !isStatusWritten {
                writer.append(UInt8(ascii: ","))
                writeStatus(result, into: &writer)
                writer.truncate(to: writer.count - 1)
            }
        } else {
            writeStatus(result, into: &writer)
            if result.error == nil {
                writer.append(literal: "\"frames\":[]")
            } else {
                writer.truncate(to: writer.count - 1)
            }
        }
        writer.append(UInt8(ascii: "}"))
    }
}
