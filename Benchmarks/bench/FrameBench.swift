// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import PluginHost

/// A million rows of (time, float64): from the plugin through the sink, to JSON and to Arrow.
struct FrameBench {
    let platform: PluginPlatform

    private static let rounds = 11

    func run() async throws {
        var sink = Timing()
        var frame = DataFrame()
        for _ in 0..<Self.rounds {
            let began = Timing.now
            frame = try await query()
            sink.add(since: began)
        }
        precondition(frame.rowCount == 1_000_000)
        report("sink.nanoseconds", sink.median)

        var text = ByteWriter(capacity: 64 << 20)
        var json = Timing()
        for _ in 0..<Self.rounds {
            text.removeAll()
            json.measure { frame.writeJSON(into: &text) }
        }
        report("json.nanoseconds", json.median)
        report("json.bytes", Double(text.count))
        report("json-copy.nanoseconds", copy(text.finish()))

        var arrow = ByteWriter(capacity: 32 << 20)
        var ipc = Timing()
        for _ in 0..<Self.rounds {
            arrow.removeAll()
            ipc.measure { frame.writeArrowFile(into: &arrow) }
        }
        report("arrow.nanoseconds", ipc.median)
        report("arrow.bytes", Double(arrow.count))
        report("arrow-copy.nanoseconds", copy(arrow.finish()))
    }

    /// Frames of 1 MiB, 16 MB and 64 MiB.
    static let sizes: [Int64] = [65_536, 1_000_000, 4_194_304]
    /// What a stream sends, one by one.
    static let packets: Int64 = 20_000

    /// How long the rows take until they can be read, from a plugin in a process of its own: copied into shared memory by
    /// its runner, and written there by the plugin itself; and how long many small pieces take.
    func runIsolated() async throws {
        for rows in Self.sizes {
            for (name, json) in [("copied", "{}"), ("pooled", #"{"pooled":true}"#)] {
                var sink = Timing()
                for _ in 0..<Self.rounds {
                    let began = Timing.now
                    let frame = try await query(json, rows: rows)
                    sink.add(since: began)
                    precondition(frame.rowCount == Int(rows))
                }
                report("isolated-sink-\(name)-\(rows).nanoseconds", sink.median)
            }
        }
        var packets = Timing()
        for _ in 0..<Self.rounds {
            let began = Timing.now
            var rows = 0
            for await event in try await events("{}", rows: Self.packets, type: "packets") {
                switch event {
                case .frame(_, let frame), .rows(_, let frame): rows += frame.rowCount
                default: break
                }
            }
            packets.add(since: began)
            precondition(rows == Int(Self.packets))
        }
        report("isolated-packets.per-second", Double(Self.packets) / packets.median * 1e9)
    }

    private func events(_ json: String, rows: Int64, type: String = "") async throws -> CallEvents {
        let source = DataSourceConfiguration(
            settings: .init(uid: "bench", name: "bench", pluginID: Program.pluginID), version: 1)
        let query = DataQuery(
            refID: "A", queryType: type, json: JSONText(json), model: .object([:]), from: Timestamp(seconds: 0),
            to: Timestamp(seconds: 1), interval: .seconds(1), maxDataPoints: Int(rows))
        return try await platform.queryData([query], of: source, facts: CallFacts())
    }

    private func query(_ json: String = "{}", rows: Int64 = 1_000_000) async throws -> DataFrame {
        var result: DataFrame?
        for await event in try await events(json, rows: rows) {
            switch event {
            case .frame(_, let frame): result = frame
            case .failed(let error, _): throw error
            case .completed(let error): if let error { throw error }
            case .rows, .bytes, .head, .notice, .checkpoint: break
            }
        }
        guard let result else { throw PluginError(.internal, "the plugin sent no frame") }
        return result
    }

    /// How long a copy of the bytes to memory that was written before takes, in nanoseconds.
    private func copy(_ bytes: [UInt8]) -> Double {
        let target = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 64)
        defer { target.deallocate() }
        memset(target, 1, bytes.count)
        var timing = Timing()
        for _ in 0..<Self.rounds {
            timing.measure {
                bytes.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(start: target, count: $0.count).copyMemory(from: $0)
                }
            }
        }
        return timing.median
    }
}
