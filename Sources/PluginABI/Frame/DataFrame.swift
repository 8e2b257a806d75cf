// SPDX-License-Identifier: Apache-2.0

/// A table: fields of equal length with their metadata.
///
/// A frame without fields means "no data"; a frame with fields and no rows is an empty table.
///
/// ```swift
/// let frame = DataFrame(name: "cpu", fields: [Field("Time", times), Field("Value", values, labels: ["host": "a"])])
/// ```
///
/// - SeeAlso: Grafana SDK for Go, `data/frame.go`.
public struct DataFrame: Sendable, Equatable {
    /// May be empty.
    public var name: String
    /// The query that the frame answers; may be empty, the host then fills it in.
    public var refID: String
    /// What the frame says about itself.
    public var meta: FrameMeta?
    /// The columns; all of one length.
    public var fields: [Field]

    /// A frame of fields that have equal length, see ``checkLengths()``.
    public init(name: String = "", refID: String = "", meta: FrameMeta? = nil, fields: [Field] = []) {
        self.name = name
        self.refID = refID
        self.meta = meta
        self.fields = fields
    }

    /// The rows that all fields have: the length of the shortest, 0 without fields.
    public var rowCount: Int { fields.lazy.map(\.column.count).min() ?? 0 }

    /// The first field of that name.
    public func field(named name: String) -> Field? { fields.first { $0.name == name } }

    /// Checks that all fields are of one length.
    ///
    /// - Throws: ``FrameError`` `.lengthMismatch`.
    public func checkLengths() throws(FrameError) {
        guard let first = fields.first, let other = fields.first(where: { $0.count != first.count }) else { return }
        throw FrameError(
            .lengthMismatch,
            "frame '\(name)': field '\(first.name)' has \(first.count) rows and field '\(other.name)' has "
                + "\(other.count); all fields of a frame need the same number of rows")
    }

    /// The rows of this frame followed by the rows of another; name and metadata are those of this one.
    ///
    /// - Throws: ``FrameError`` `.lengthMismatch` when the number of fields differs, `.unsupportedType` when the type of
    ///   a field does.
    /// - Complexity: O(bytes of both): copies.
    public func appending(_ other: DataFrame) throws(FrameError) -> DataFrame {
        guard other.fields.count == fields.count else {
            throw FrameError(
                .lengthMismatch,
                "frame '\(name)' has \(fields.count) fields and the rows to append have \(other.fields.count); "
                    + "both need the same fields")
        }
        var result = self
        for index in fields.indices {
            guard fields[index].type == other.fields[index].type else {
                throw FrameError(
                    .unsupportedType,
                    "field '\(fields[index].name)' is \(fields[index].type.name) and the rows to append are "
                        + "\(other.fields[index].type.name); both need the same type")
            }
            result.fields[index].column = Column(
                joining: [fields[index].column, other.fields[index].column])
        }
        return result
    }
}
