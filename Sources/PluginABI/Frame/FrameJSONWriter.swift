// SPDX-License-Identifier: Apache-2.0

extension DataFrame {
    /// The parts of frame JSON to write.
    public enum JSONInclude: Sendable {
        /// `{"schema":…,"data":…}`.
        case all
        /// `{"data":…}`, as in the packets of a stream after the first.
        case dataOnly
        /// `{"schema":…}`.
        case schemaOnly
    }

    /// Appends the frame as JSON, straight from the buffers.
    ///
    /// Values lie by column. Times are milliseconds, rounded towards the past, with the rest in `nanos`; NaN and the
    /// infinities are null with their rows in `entities`; 64-bit integers are plain numbers.
    ///
    /// - Parameter extraNotices: Remarks that are added to those of the meta.
    /// - SeeAlso: Grafana SDK for Go, `data/frame_json.go`.
    public func writeJSON(
        into out: inout ByteWriter, include: JSONInclude = .all, extraNotices: [Notice] = []
    ) {
        out.append(UInt8(ascii: "{"))
        if include != .dataOnly {
            out.append(literal: #""schema":"#)
            writeSchema(into: &out, extraNotices: extraNotices)
        }
        if include == .all { out.append(UInt8(ascii: ",")) }
        if include != .schemaOnly {
            out.append(literal: #""data":"#)
            FrameDataWriter(fields: fields).write(into: &out)
        }
        out.append(UInt8(ascii: "}"))
    }

    /// The frame as JSON bytes; see ``writeJSON(into:include:extraNotices:)``.
    public func json(include: JSONInclude = .all) -> [UInt8] {
        var out = ByteWriter(capacity: 1024)
        writeJSON(into: &out, include: include)
        return out.finish()
    }

    private func writeSchema(into out: inout ByteWriter, extraNotices: [Notice]) {
        out.append(UInt8(ascii: "{"))
        if !name.isEmpty {
            out.append(literal: #""name":"#)
            out.append(jsonString: name)
            out.append(UInt8(ascii: ","))
        }
        if !refID.isEmpty {
            out.append(literal: #""refId":"#)
            out.append(jsonString: refID)
            out.append(UInt8(ascii: ","))
        }
        var meta = meta
        if !extraNotices.isEmpty {
            meta = meta ?? FrameMeta()
            meta?.notices += extraNotices
        }
        if let meta {
            out.append(literal: #""meta":"#)
            out.append(meta.json.text)
            out.append(UInt8(ascii: ","))
        }
        out.append(literal: #""fields":["#)
        for (index, field) in fields.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            field.writeSchema(into: &out)
        }
        out.append(literal: "]}")
    }
}

extension Field {
    fileprivate func writeSchema(into out: inout ByteWriter) {
        out.append(UInt8(ascii: "{"))
        if !name.isEmpty {
            out.append(literal: #""name":"#)
            out.append(jsonString: name)
            out.append(UInt8(ascii: ","))
        }
        out.append(literal: #""type":""#)
        out.append(type.jsType)
        out.append(literal: #"","typeInfo":{"frame":""#)
        out.append(type.name)
        out.append(UInt8(ascii: "\""))
        if isNullable { out.append(literal: #","nullable":true"#) }
        out.append(UInt8(ascii: "}"))
        if let labels {
            out.append(literal: #","labels":"#)
            out.append(labels.json)
        }
        if let config {
            out.append(literal: #","config":"#)
            out.append(config.json.text)
        }
        out.append(UInt8(ascii: "}"))
    }
}
