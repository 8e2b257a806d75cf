// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The setting `customQueryParameters`: pairs that are added to the URL of every request.
struct CustomParameters: Sendable, Equatable {
    private struct Pair: Sendable, Equatable {
        var name: String
        var value: String
    }

    private var pairs: [Pair] = []

    init() {}

    /// - Throws: ``PluginError`` `.invalid` for a setting that is not a text.
    init(jsonData: JSONValue) throws {
        pairs = FormEncoding.decode(try jsonData.settingText("customQueryParameters")).map {
            Pair(name: $0.name, value: $0.value)
        }
    }

    func contains(_ name: String) -> Bool { pairs.contains { $0.name == name } }

    /// A path with a query string, and these behind it.
    func url(_ path: String, query: String) -> String {
        let custom = FormEncoding.encode(pairs.map { ($0.name, $0.value) })
        let query = [query, custom].filter { !$0.isEmpty }.joined(separator: "&")
        return query.isEmpty ? path : "\(path)?\(query)"
    }
}

extension JSONValue {
    /// A text of `jsonData`; empty when it is not set.
    ///
    /// - Throws: ``PluginError`` `.invalid` for anything else.
    func settingText(_ key: String) throws -> String {
        guard let value = self[key], !value.isNull else { return "" }
        guard let text = value.string else { throw PluginError(.invalid, "the setting \(key) is not a text") }
        return text
    }
}
