// SPDX-License-Identifier: Apache-2.0
public import PluginABI
public import PluginHost

/// Everything that one call delivered, as values.
///
/// The queries of a request run concurrently, so that only what belongs to one query has an order: each query has a lane
/// of its own. What belongs to no query is in the lane of the empty `refID`.
public struct CallTranscript: Sendable {
    /// One thing that the plugin sent.
    public enum Event: Sendable {
        /// A new frame with its first rows; frames of a lane are counted from 0.
        case frame(Int, DataFrame)
        /// More rows of a frame.
        case rows(Int, DataFrame)
        /// A part of a body, or one packet of a stream.
        case bytes([UInt8])
        case head(CallHead)
        case notice(Notice)
        case failed(PluginError)
        case checkpoint([UInt8])
    }

    /// What came for each query, in its order.
    public private(set) var lanes: [String: [Event]] = [:]
    /// What ended the call; nil: nothing failed.
    public private(set) var error: PluginError?
    /// Whether the call ended, once and last.
    public private(set) var isComplete = false
    /// How many things came after the end.
    public private(set) var lateEvents = 0
    /// How many things came at all.
    public private(set) var count = 0
    /// The queries of the request; empty for other calls.
    private let refIDs: [String]
    /// The stream, if it is one: its packets are not joined, as the parts of a body are.
    private let stream: ConformanceStream?
    private var frames: [UInt32: (lane: String, number: Int)] = [:]
    private var frameCounts: [String: Int] = [:]

    init(refIDs: [String] = [], stream: ConformanceStream? = nil) {
        self.refIDs = refIDs
        self.stream = stream
    }

    mutating func add(_ event: CallEvent) {
        if isComplete { lateEvents += 1 }
        count += 1
        switch event {
        case .frame(let number, let frame):
            let lane = frame.refID
            frames[number] = (lane, frameCounts[lane, default: 0])
            frameCounts[lane, default: 0] += 1
            append(.frame(frameCounts[lane, default: 1] - 1, steady(frame)), to: lane)
        case .rows(let number, let rows):
            let place = frames[number] ?? (rows.refID, -1)
            append(.rows(place.number, steady(rows)), to: place.lane)
        case .bytes(let chunk): append(chunk.array)
        case .head(let head): append(.head(head), to: "")
        case .notice(let notice, let refID): append(.notice(notice), to: refID)
        case .failed(let error, let refID): append(.failed(error), to: refID)
        case .checkpoint(let token): append(.checkpoint(token), to: "")
        case .completed(let error): finish(error)
        }
    }

    /// What of a frame is the same each time.
    private func steady(_ frame: DataFrame) -> DataFrame {
        guard stream?.isSteady == false else { return frame }
        var frame = frame
        for index in frame.fields.indices { frame.fields[index].column = frame.fields[index].column.prefix(0) }
        return frame
    }

    mutating func finish(_ error: PluginError?) {
        if isComplete { lateEvents += 1 }
        isComplete = true
        self.error = self.error ?? error
    }

    /// Forgets why the call ended.
    mutating func dropError() { error = nil }

    private mutating func append(_ bytes: [UInt8]) {
        let joinsBytes = stream == nil
        if joinsBytes, case .bytes(let before)? = lanes[""]?.last {
            lanes[""]?.removeLast()
            append(.bytes(before + bytes), to: "")
        } else if !(joinsBytes && bytes.isEmpty) {
            append(.bytes(bytes), to: "")
        }
    }

    private mutating func append(_ event: Event, to lane: String) { lanes[lane, default: []].append(event) }
}

extension CallTranscript {
    /// What of it Grafana's plugin protocol can carry, for comparing with a plugin behind it.
    ///
    /// A query is answered by whole frames and one error of status, text and source; notices lie in the meta of its
    /// frames; a request that fails fails each of its queries; a stream sends frames as JSON; there are no checkpoints, no
    /// hints and no times to wait. Metadata are JSON, in which the order of keys means nothing.
    var asGrafanaCarriesIt: CallTranscript {
        var result = self
        result.error = error.map(Self.asGrafanaCarriesIt)
        if stream != nil { result.lanes[""] = lanes[""]?.compactMap(packet) }
        if let error = result.error, !refIDs.isEmpty {
            for refID in refIDs where !hasFailed(refID) { result.append(.failed(error), to: refID) }
            result.error = nil
        }
        result.lanes = result.lanes.mapValues { events in
            var kept: [Event] = []
            var notices: [Notice] = []
            for event in events {
                switch event {
                case .frame(let number, let frame):
                    var frame = Self.asGrafanaCarriesIt(frame)
                    notices += frame.meta?.notices ?? []
                    frame.meta?.notices = []
                    kept.append(.frame(number, frame))
                case .rows(let number, let rows): Self.join(rows, to: number, in: &kept)
                case .notice(let notice): notices.append(notice)
                case .failed(let error): kept.append(.failed(Self.asGrafanaCarriesIt(error)))
                case .head(let head): kept.append(.head(Self.asGrafanaCarriesIt(head)))
                case .bytes: kept.append(event)
                case .checkpoint: continue
                }
            }
            // Without a frame there is nothing that a notice could lie in.
            let hasFrame = kept.contains { if case .frame = $0 { true } else { false } }
            return hasFrame ? kept + notices.map { .notice($0) } : kept
        }
        return result
    }

    private func hasFailed(_ refID: String) -> Bool {
        (lanes[refID] ?? []).contains { if case .failed = $0 { true } else { false } }
    }

    /// A frame of a stream, whether it came as itself or as JSON.
    private func packet(_ event: Event) -> Event? {
        switch event {
        case .frame(_, let frame), .rows(_, let frame):
            var writer = ByteWriter()
            frame.writeJSON(into: &writer)
            return .frame(0, (try? DataFrame(json: writer.withBytes { Array($0) })) ?? frame)
        case .bytes(let bytes):
            return (try? DataFrame(json: bytes)).map { .frame(0, steady($0)) } ?? event
        case .checkpoint: return nil
        case .head, .notice, .failed: return event
        }
    }

    private static func join(_ rows: DataFrame, to number: Int, in events: inout [Event]) {
        for index in events.indices {
            guard case .frame(number, let frame) = events[index], let joined = try? frame.appending(rows) else {
                continue
            }
            events[index] = .frame(number, joined)
        }
    }

    private static func asGrafanaCarriesIt(_ error: PluginError) -> PluginError {
        PluginError(
            .internal, error.message, source: error.source.grafanaName == "downstream" ? .downstream : .plugin,
            httpStatus: error.httpStatus ?? error.code.httpStatus)
    }

    private static func asGrafanaCarriesIt(_ head: CallHead) -> CallHead {
        let fields = head.headers.map { (name: $0.name.lowercased(), value: $0.value) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
        return CallHead(status: head.status, message: head.message, headers: HTTPHeaders(fields))
    }

    private static func asGrafanaCarriesIt(_ frame: DataFrame) -> DataFrame {
        var frame = frame
        frame.meta = (try? JSONValue(parsing: (frame.meta ?? FrameMeta()).json.text)).flatMap {
            try? FrameMeta(json: JSONText($0.encoded(sortedKeys: true)))
        }
        for index in frame.fields.indices {
            frame.fields[index].config = frame.fields[index].config.flatMap { config in
                (try? JSONValue(parsing: config.json.text)).flatMap {
                    try? FieldConfig(json: JSONText($0.encoded(sortedKeys: true)))
                }
            }
        }
        return frame
    }
}
