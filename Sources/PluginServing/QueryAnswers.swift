// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI
internal import PluginHost

/// The answers to the queries of a request, collected.
struct QueryAnswers {
    private struct Answer {
        var frames: [(number: UInt32, pieces: [DataFrame])] = []
        var notices: [Notice] = []
        var error: PluginError?
    }

    let list: QueryList
    private var answers: [String: Answer] = [:]
    private var sharedNotices: [Notice] = []

    init(_ list: QueryList) {
        self.list = list
        for refID in list.refIDs { answers[refID] = Answer(error: list.faults[refID]) }
    }

    mutating func take(_ event: CallEvent) {
        switch event {
        case .frame(let number, let frame):
            answers[list.owner(of: frame.refID)]?.frames.append((number, [frame]))
        case .rows(let number, let rows):
            let refID = list.owner(of: rows.refID)
            guard let place = answers[refID]?.frames.lastIndex(where: { $0.number == number }) else { return }
            answers[refID]?.frames[place].pieces.append(rows)
        case .notice(let notice, let refID):
            if answers[refID] == nil { sharedNotices.append(notice) } else { answers[refID]?.notices.append(notice) }
        case .failed(let error, let refID): answers[list.owner(of: refID)]?.error = error
        case .completed(let error?):
            for query in list.queries where answers[query.refID]?.error == nil { answers[query.refID]?.error = error }
        case .completed(nil), .bytes, .head, .checkpoint: break
        }
    }

    func message(asJSON: Bool) -> Pluginv2_QueryDataResponse {
        var message = Pluginv2_QueryDataResponse()
        for (refID, answer) in answers { message.responses[refID] = self.answer(refID, answer, asJSON: asJSON) }
        return message
    }

    private func answer(_ refID: String, _ answer: Answer, asJSON: Bool) -> Pluginv2_DataResponse {
        var message = Pluginv2_DataResponse()
        message.format = asJSON ? .json : .arrow
        let notices = answer.notices + sharedNotices
        var frames = answer.frames.map { DataFrame.joining($0.pieces) ?? $0.pieces[0] }
        // Remarks need a frame that carries them.
        if frames.isEmpty, !notices.isEmpty { frames = [DataFrame()] }
        message.frames = frames.map { frame in
            Data(frame.with(notices, refID: refID).encoded(asJSON: asJSON))
        }
        message.status = Int32(answer.error?.grafanaStatus ?? 200)
        if let error = answer.error {
            message.error = error.grafanaText
            message.errorSource = error.source.grafanaName
        }
        return message
    }
}

/// The answers to the queries of a request, piece by piece.
struct QueryChunks {
    let list: QueryList
    private let asJSON: Bool
    private var failed: Set<String>
    private var notices: [(notice: Notice, refID: String)] = []

    init(_ list: QueryList, asJSON: Bool) {
        self.list = list
        self.asJSON = asJSON
        failed = Set(list.faults.keys)
    }

    /// What is sent for one step of the call.
    mutating func messages(for event: CallEvent) -> [Pluginv2_QueryChunkedDataResponse] {
        switch event {
        case .frame(let number, let frame): return [chunk(frame, number, include: .all)]
        case .rows(let number, let rows): return [chunk(rows, number, include: .dataOnly)]
        case .notice(let notice, let refID): notices.append((notice, refID))
        case .failed(let error, let refID): return [failure(error, list.owner(of: refID))]
        case .completed(let error): return lastMessages(error)
        case .bytes, .head, .checkpoint: break
        }
        return []
    }

    private func chunk(
        _ frame: DataFrame, _ number: UInt32, include: DataFrame.JSONInclude
    ) -> Pluginv2_QueryChunkedDataResponse {
        let refID = list.owner(of: frame.refID)
        var message = Pluginv2_QueryChunkedDataResponse()
        message.refID = refID
        message.frameID = "\(number)"
        message.frame = Data(frame.with([], refID: refID).encoded(asJSON: asJSON, include: include))
        message.status = 200
        message.format = asJSON ? .json : .arrow
        return message
    }

    private mutating func failure(_ error: PluginError, _ refID: String) -> Pluginv2_QueryChunkedDataResponse {
        failed.insert(refID)
        var message = Pluginv2_QueryChunkedDataResponse()
        message.refID = refID
        message.error = error.grafanaText
        message.status = Int32(error.grafanaStatus)
        message.errorSource = error.source.grafanaName
        message.format = asJSON ? .json : .arrow
        return message
    }

    private mutating func lastMessages(_ error: PluginError?) -> [Pluginv2_QueryChunkedDataResponse] {
        var messages = list.faults.sorted { $0.key < $1.key }.map { failure($0.value, $0.key) }
        // Frames that were sent cannot be given remarks: one without fields carries them.
        for refID in list.queries.map(\.refID) {
            let own = notices.filter { $0.refID == refID || !list.refIDs.contains($0.refID) }.map(\.notice)
            guard !own.isEmpty else { continue }
            messages.append(chunk(DataFrame(refID: refID).with(own, refID: refID), .max, include: .all))
        }
        guard let error else { return messages }
        for refID in list.queries.map(\.refID) where !failed.contains(refID) { messages.append(failure(error, refID)) }
        return messages
    }
}

extension DataFrame {
    /// The frame under the name of its query, with remarks.
    fileprivate func with(_ notices: [Notice], refID: String) -> DataFrame {
        var frame = self
        if frame.refID.isEmpty { frame.refID = refID }
        if !notices.isEmpty {
            var meta = frame.meta ?? FrameMeta()
            meta.notices += notices
            frame.meta = meta
        }
        return frame
    }

    fileprivate func encoded(asJSON: Bool, include: JSONInclude = .all) -> [UInt8] {
        asJSON ? json(include: include) : arrowFile()
    }
}

extension PluginError {
    /// The status of a query that failed.
    fileprivate var grafanaStatus: Int { httpStatus ?? code.httpStatus }

    /// The text of a failure, which is one in Grafana's protocol only when it is not empty.
    fileprivate var grafanaText: String { message.isEmpty ? "the plugin gave no reason (\(code.name))" : message }
}
