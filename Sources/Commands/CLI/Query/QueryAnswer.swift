// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The answer of `POST /api/ds/query`.
struct QueryAnswer: Sendable {
    /// An error of one query.
    struct Failure: Sendable, Equatable {
        var refID: String
        var message: String
        /// `plugin` or `downstream`; may be empty.
        var source: String
    }

    /// All frames, in the order of the answer.
    private(set) var frames: [DataFrame] = []
    /// The text of each frame as the API gave it.
    private(set) var frameTexts: [ArraySlice<UInt8>] = []
    private(set) var failures: [Failure] = []

    /// Reads the body of an answer.
    ///
    /// - Throws: ``CommandFailure`` `.badData` when the body is no such answer or a frame is malformed.
    init(body: [UInt8]) throws {
        let members: [(key: String, value: Range<Int>)]
        do throws(JSONError) {
            members = try JSONSlices.members(ofObjectAt: ["results"], in: body)
        } catch {
            throw CommandFailure(
                .badData, "answer: it is not the answer of a query (\(error)); check that --url is a Grafana server")
        }
        for (refID, range) in members { try read(refID, body[range]) }
    }

    /// What the frames say about the query, each text once.
    var notices: [Notice] {
        var seen: Set<String> = []
        return frames.flatMap { $0.meta?.notices ?? [] }.filter { seen.insert($0.text).inserted }
    }

    private mutating func read(_ refID: String, _ result: ArraySlice<UInt8>) throws {
        let bytes = Array(result)
        guard bytes.first == UInt8(ascii: "{") else {
            throw CommandFailure(
                .badData, "answer: result '\(refID)' is not an object; check that --url is a Grafana server")
        }
        if let range = try slice("error", bytes), let text = try? JSONValue(parsing: bytes[range]).string, !text.isEmpty
        {
            let source = try slice("errorSource", bytes).flatMap { try? JSONValue(parsing: bytes[$0]).string }
            failures.append(Failure(refID: refID, message: text, source: source ?? ""))
        }
        guard let list = try slice("frames", bytes), bytes[list.lowerBound] == UInt8(ascii: "[") else { return }
        for range in try JSONSlices.elements(ofArrayAt: ["frames"], in: bytes) {
            frameTexts.append(bytes[range])
            frames.append(try DataFrame(json: bytes[range]))
        }
    }

    private func slice(_ key: String, _ bytes: [UInt8]) throws -> Range<Int>? {
        try JSONSlices.value(at: [key], in: bytes)
    }
}
