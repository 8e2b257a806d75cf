// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

@testable import BuiltinDatasources

/// One captured answer of a real Prometheus.
struct CapturedAnswer: Sendable, CustomTestStringConvertible {
    var folder: String
    var name: String
    var path: String
    var status: Int
    var body: [UInt8]

    var testDescription: String { "\(folder)/\(name)" }
    var isJSON: Bool { body.first == UInt8(ascii: "{") }
}

enum Fixtures {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    /// The folder `shared/fixtures` beside the repository.
    static let folder = repository.deletingLastPathComponent().appending(path: "shared/fixtures")

    static func bytes(_ path: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: folder.appending(path: path)))
    }

    static func json(_ path: String) throws -> JSONValue { try JSONValue(parsing: bytes(path)) }

    /// All captured answers of a folder; a folder that cannot be read gives none, and a test says so.
    static func answers(_ folder: String) -> [CapturedAnswer] {
        guard let index = try? json("\(folder)/index.json"), let entries = index["entries"]?.array else { return [] }
        return entries.compactMap { entry in
            guard let name = entry["name"]?.string, let file = entry["file"]?.string,
                let path = entry["request"]?["path"]?.string, let status = entry["status"]?.int,
                let body = try? bytes("\(folder)/\(file)")
            else { return nil }
            return CapturedAnswer(folder: folder, name: name, path: path, status: status, body: body)
        }
    }

    static let prometheus = answers("prometheus") + answers("prometheus3")
    /// Answers with status 200 in JSON.
    static let good = prometheus.filter { $0.status == 200 && $0.isJSON }
    /// Those whose data is an object or an array.
    static let readable = good.filter { $0.name != "format_query" }
    /// Answers in which the API explains an error.
    static let errors = prometheus.filter { $0.status != 200 && $0.isJSON }
}

extension PrometheusQuery {
    /// A query for tests that do not care.
    static func sample(
        _ expression: String = "up", step: Interval = .seconds(15), legend: String = "", isExemplar: Bool = false
    ) -> PrometheusQuery {
        PrometheusQuery(
            expression: expression, step: step, from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: 0),
            isRange: true, isInstant: false, isExemplar: isExemplar, legendFormat: legend, utcOffset: 0)
    }
}

extension PrometheusAnswerReader {
    /// Reads a whole body in pieces of a size.
    static func read(
        _ body: [UInt8], pieceSize: Int = .max, query: PrometheusQuery = .sample(), call: PrometheusCall = .range,
        waitsForStatistics: Bool = false
    ) throws -> Delivery {
        var reader = PrometheusAnswerReader(
            frames: PrometheusFrames(query: query, call: call), waitsForStatistics: waitsForStatistics)
        var all = Delivery()
        func add(_ delivery: Delivery) {
            all.notices += delivery.notices
            all.frames += delivery.frames
        }
        try body.withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                let end = start + min(pieceSize, bytes.count - start)
                add(try reader.consume(UnsafeBufferPointer(rebasing: bytes[start..<end])))
                start = end
            }
        }
        add(try reader.finish())
        return all
    }

    static func read(_ text: String, pieceSize: Int = .max, call: PrometheusCall = .range) throws -> Delivery {
        try read(Array(text.utf8), pieceSize: pieceSize, call: call)
    }
}

/// A frame as text, one line a field, for comparisons whose failures can be read.
func dump(_ frame: DataFrame) -> String {
    var lines = ["frame \"\(frame.name)\" \(frame.meta?.json.text ?? "-")"]
    for field in frame.fields {
        let labels = field.labels.map { "\($0.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })" } ?? "-"
        lines.append("\(field.name) \(field.type.name) \(labels) \(field.config?.json.text ?? "-") \(values(field))")
    }
    return lines.joined(separator: "\n")
}

private func values(_ field: Field) -> String {
    (0..<field.count).map { row in
        switch field.type {
        case .time: return "\(field.column[row, as: Timestamp.self]?.nanoseconds ?? 0)"
        case .string: return field.column.string(at: row) ?? "null"
        default: return field.column.double(at: row).map(numberText) ?? "null"
        }
    }.joined(separator: ",")
}

/// Tells all numbers apart, also `-0` from `0`; every NaN is one.
func numberText(_ number: Double) -> String { number.isNaN ? "NaN" : "\(number)" }
