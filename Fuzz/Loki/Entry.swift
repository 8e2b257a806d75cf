// SPDX-License-Identifier: Apache-2.0
import PluginABI

private let query = LokiQuery(
    expression: "{a=\"b\"}", kind: .range, direction: .backward, maxLines: 3, step: .seconds(1), legendFormat: "{{a}}",
    source: "", from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: 1))

/// Reads bytes as the answer of a Loki, whole and in pieces of 1 and 7 bytes, and as a message of the live tail.
///
/// The frames do not depend on the pieces, their fields are of one length, and each turn of reading but the last gives something.
private func fuzzLokiAnswer(_ bytes: UnsafeBufferPointer<UInt8>) {
    let whole = frames(of: bytes, pieceSize: max(1, bytes.count))
    for size in [1, 7] where frames(of: bytes, pieceSize: size) != whole {
        fatalError("pieces of \(size) bytes give other frames")
    }
    for frame in whole ?? [] {
        guard Set(frame.fields.map(\.column.count)).count <= 1 else { fatalError("fields of different lengths") }
        _ = frame.json()
    }
    if let batch = try? TailBatch(message: bytes) { _ = batch.columns(Array(batch.keys.indices.dropFirst())) }
}

/// nil after an error.
private func frames(of bytes: UnsafeBufferPointer<UInt8>, pieceSize: Int) -> [DataFrame]? {
    var reader = LokiAnswerReader(frames: LokiFrames(query: query, usesLogsDataplane: false), batchBytes: 400)
    var frames: [DataFrame] = []
    do {
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + pieceSize)
            add(try reader.consume(UnsafeBufferPointer(rebasing: bytes[start..<end])), to: &frames)
            while reader.hasMore {
                let delivery = try reader.consume(UnsafeBufferPointer(start: nil, count: 0))
                // The last turn reads the rest of the piece, which may fill no batch.
                guard !delivery.parts.isEmpty || !reader.hasMore else { fatalError("a turn without a part") }
                add(delivery, to: &frames)
            }
            start = end
        }
        add(try reader.finish(), to: &frames)
        return frames
    } catch {
        return nil
    }
}

private func add(_ delivery: LokiAnswerReader.Delivery, to frames: inout [DataFrame]) {
    for part in delivery.parts {
        switch part {
        case .frame(let frame), .open(let frame): frames.append(frame)
        case .rows(let rows):
            guard let last = frames.popLast(), let joined = try? last.appending(rows) else {
                fatalError("rows without their frame")
            }
            frames.append(joined)
        }
    }
}

/// The entry that libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    fuzzLokiAnswer(UnsafeBufferPointer(start: bytes, count: count))
    return 0
}
