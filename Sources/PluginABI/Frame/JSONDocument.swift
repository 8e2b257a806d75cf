// SPDX-License-Identifier: Apache-2.0

/// A JSON object that is written as it came until it is changed.
struct JSONDocument: Sendable, Equatable {
    /// The text as it came; nil once a key was set.
    private var source: JSONText?
    private(set) var object: JSONObject

    init() {
        object = JSONObject()
    }

    /// - Throws: ``FrameError`` `.invalidMetadata` when the text is not a JSON object; `subject` names it.
    init(_ json: JSONText, subject: String) throws(FrameError) {
        do {
            guard let object = try JSONValue(parsing: json.text.utf8).object else {
                throw FrameError(.invalidMetadata, "\(subject) is not a JSON object; write {} or leave it out")
            }
            self.object = object
            source = json
        } catch let error as FrameError {
            throw error
        } catch {
            throw FrameError(.invalidMetadata, "\(subject) is not JSON: \(error)")
        }
    }

    subscript(key: String) -> JSONValue? {
        get { object[key] }
        set {
            guard object[key] != newValue else { return }
            object[key] = newValue
            source = nil
        }
    }

    /// The text as it came, else the keys in the order of `keys`, then the rest.
    func text(order keys: [String]) -> JSONText {
        if let source { return source }
        var ordered = JSONObject()
        for key in keys { ordered[key] = object[key] }
        for (key, value) in object where ordered[key] == nil { ordered[key] = value }
        return JSONText(JSONValue.object(ordered).encoded())
    }

    static func == (left: JSONDocument, right: JSONDocument) -> Bool { left.object == right.object }
}

extension JSONValue {
    /// A float in metadata: NaN and infinities, which JSON does not have, are null.
    static func finite(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .null }
}
