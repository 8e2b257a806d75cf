// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import TestSupport
import Testing

@testable import BuiltinDatasources

/// One recorded exchange with a real Loki.
struct RecordedQuery: Sendable, CustomTestStringConvertible {
    var name: String
    var method: String
    var path: String
    /// In their order.
    var pairs: [(name: String, value: String)]
    var parameters: [String: String]
    var status: Int
    var body: [UInt8]

    var testDescription: String { name }

    /// The query that was sent.
    var query: LokiQuery {
        get throws {
            let step = try parameters["step"].map { try Interval(parsingIntervalString: $0) } ?? .seconds(1)
            return LokiQuery.sample(
                parameters["query"] ?? "", kind: path.hasSuffix("query_range") ? .range : .instant, step: step)
        }
    }
}

enum LokiFixtures {
    /// All recorded exchanges; a folder that cannot be read gives none, and a test says so.
    static let all: [RecordedQuery] = {
        guard let entries = (try? Fixtures.json("loki/index.json"))?["entries"]?.array else { return [] }
        return entries.compactMap { entry in
            guard let name = entry["name"]?.string, let file = entry["file"]?.string, let request = entry["request"],
                let method = request["method"]?.string, let path = request["path"]?.string,
                let status = entry["status"]?.int,
                let body = try? Fixtures.bytes("loki/\(file)")
            else { return nil }
            let pairs = (request["params"]?.array ?? []).map {
                (name: $0[0]?.string ?? "", value: $0[1]?.string ?? "")
            }
            let parameters = Dictionary(pairs.map { ($0.name, $0.value) }) { _, last in last }
            return RecordedQuery(
                name: name, method: method, path: path, pairs: pairs, parameters: parameters, status: status, body: body
            )
        }
    }()

    private static let queryPaths: Set = ["/loki/api/v1/query", "/loki/api/v1/query_range"]
    /// Answers of queries.
    static let good = all.filter { $0.status == 200 && queryPaths.contains($0.path) }
    /// Errors, as queries and others have them.
    static let errors = all.filter { $0.status >= 400 }

    /// What the answers have to become, by name and shape; computed in Python.
    static func expectedFrames() async throws -> JSONValue {
        let tool = Fixtures.repository.appending(path: "Tests/Tools/loki_frames.py").path
        let folder = Fixtures.folder.appending(path: "loki").path
        let (status, output) = try await Tool.run("python3", [tool, folder])
        try #require(status == 0, "\(output)")
        return try JSONValue(parsing: Array(output.utf8))
    }
}

extension LokiQuery {
    /// A query for tests that do not care.
    static func sample(
        _ expression: String = "{app=\"a\"}", kind: Kind = .range, step: Interval = .seconds(15), legend: String = "",
        maxLines: Int64 = 0
    ) -> LokiQuery {
        LokiQuery(
            expression: expression, kind: kind, direction: .backward, maxLines: maxLines, step: step,
            legendFormat: legend, source: "", from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: 0))
    }
}

extension LokiAnswerReader {
    /// Reads a whole body in pieces of a size.
    ///
    /// - Parameter onDelivery: Called with each delivery and the number of bytes read before it.
    static func read(
        _ body: [UInt8], pieceSize: Int = .max, query: LokiQuery = .sample(), dataplane: Bool = false,
        onDelivery: (Delivery, Int) throws -> Void = { _, _ in }
    ) throws -> Delivery {
        var reader = LokiAnswerReader(frames: LokiFrames(query: query, usesLogsDataplane: dataplane))
        var all = Delivery()
        func add(_ delivery: Delivery, _ position: Int) throws {
            all.notices += delivery.notices
            all.parts += delivery.parts
            try onDelivery(delivery, position)
        }
        try body.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                let end = start + min(pieceSize, bytes.count - start)
                try add(try reader.consume(UnsafeBufferPointer(rebasing: bytes[start..<end])), end)
                while reader.hasMore {
                    try add(try reader.consume(UnsafeBufferPointer(start: nil, count: 0)), end)
                }
                start = end
            }
        }
        try add(try reader.finish(), body.count)
        return all
    }

    static func read(_ text: String, pieceSize: Int = .max, query: LokiQuery = .sample()) throws -> Delivery {
        try read(Array(text.utf8), pieceSize: pieceSize, query: query)
    }
}

extension LokiAnswerReader.Delivery {
    /// The frames, with the rows of an open one joined.
    var frames: [DataFrame] {
        get throws {
            var frames: [DataFrame] = []
            for part in parts {
                switch part {
                case .frame(let frame), .open(let frame): frames.append(frame)
                case .rows(let rows):
                    guard let last = frames.popLast() else { continue }
                    frames.append(try last.appending(rows))
                }
            }
            return frames
        }
    }
}

/// A stream of lines as Loki answers it.
func streamsAnswer(_ values: String, labels: String = #"{"app":"a"}"#, more: String = "") -> String {
    """
    {"status":"success","data":{"resultType":"streams","encodingFlags":["categorize-labels"],\
    "result":[{"stream":\(labels),"values":[\(values)]}]\(more)}}
    """
}
