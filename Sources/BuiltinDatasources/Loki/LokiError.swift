// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension UpstreamStatus {
    /// The error for an answer of Loki whose status is not 2xx.
    ///
    /// Its text is the `message` or `error` of a JSON body, else the body itself: Loki mostly writes plain text.
    static func lokiError(status: Int, body: [UInt8]) -> PluginError {
        var error = PluginError(
            .downstream, lokiMessage(status: status, body: body), source: source(status), httpStatus: status)
        if status == 404 { error.hint = "check that the data source's URL is Loki's own, without /loki behind it" }
        return error
    }

    /// What the body of an error says, for a person.
    static func lokiMessage(status: Int, body: [UInt8]) -> String {
        if let value = try? JSONValue(parsing: body) {
            for key in ["message", "error"] {
                if let words = value[key]?.string, !words.isEmpty { return words }
            }
        }
        let isCut = body.count > shownBytes
        let text = String(decoding: body.prefix(shownBytes), as: UTF8.self).trimmedEnd
        return text.isEmpty ? "the server answers \(line(status)) without a word" : text + (isCut ? "…" : "")
    }
}

extension String {
    /// The text without white space at its end.
    fileprivate var trimmedEnd: String {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
