// SPDX-License-Identifier: Apache-2.0

// Feeds bytes to the readers of frames that come from plugins: the Arrow file and frame JSON. Whatever is read is read
// in full and written again, in all forms; only a crash or a sanitizer's finding is a failure.
//
// Built with the sources of PluginABI by `make fuzz`.

/// Reads the bytes as an Arrow file and as frame JSON.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    if let frame = try? DataFrame(arrow: Array(bytes)) {
        exercise(frame)
    }
    if let frame = try? DataFrame(json: bytes) {
        exercise(frame)
    }
    return 0
}

private func exercise(_ frame: DataFrame) {
    for field in frame.fields {
        for row in 0..<field.count {
            guard !field.column.isNull(at: row) else { continue }
            _ = field.column.withUTF8(at: row) { $0.reduce(0, ^) }
            _ = field.column.double(at: row)
        }
    }
    let json = frame.json()
    // What was written has to be frame JSON again.
    guard let copy = try? DataFrame(json: json) else { fatalError("frame JSON that is not read back") }
    precondition(copy.fields.count == frame.fields.count, "fields lost in frame JSON")
    guard let again = try? DataFrame(arrow: frame.arrowFile()) else { fatalError("a file that is not read back") }
    precondition(again.rowCount == frame.rowCount, "rows lost in the Arrow file")
}
