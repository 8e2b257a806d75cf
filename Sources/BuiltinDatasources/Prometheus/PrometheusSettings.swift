// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What the user configured for one Prometheus, read from `jsonData`.
struct PrometheusSettings: Sendable, Equatable {
    /// `POST` unless `GET` was chosen.
    var method = "POST"
    /// The scrape interval, an interval string.
    var scrapeInterval = Self.defaultScrapeInterval
    /// Sent along with instant and range queries when it is not empty.
    var queryTimeout = ""
    /// Added to the URL of every request.
    var customParameters: [Parameter] = []

    struct Parameter: Sendable, Equatable {
        var name: String
        var value: String
    }

    static let defaultScrapeInterval = "15s"

    init() {}

    /// - Throws: ``PluginError`` `.invalid` for a setting of the wrong type or an unknown method.
    init(jsonData: JSONValue) throws {
        let method = try Self.text("httpMethod", in: jsonData).uppercased()
        guard ["", "GET", "POST"].contains(method) else {
            throw PluginError(.invalid, "the setting httpMethod is \"\(method)\"; use POST or GET")
        }
        if !method.isEmpty { self.method = method }
        let interval = try Self.text("timeInterval", in: jsonData)
        if !interval.isEmpty { scrapeInterval = interval }
        queryTimeout = try Self.text("queryTimeout", in: jsonData)
        customParameters = FormEncoding.decode(try Self.text("customQueryParameters", in: jsonData)).map {
            Parameter(name: $0.name, value: $0.value)
        }
    }

    private static func text(_ key: String, in jsonData: JSONValue) throws -> String {
        guard let value = jsonData[key], !value.isNull else { return "" }
        guard let text = value.string else { throw PluginError(.invalid, "the setting \(key) is not a text") }
        return text
    }

    /// Whether the answers hold statistics, which come last and belong to the first frame.
    var asksForStatistics: Bool { customParameters.contains { $0.name == "stats" } }
}

extension PrometheusSettings {
    /// The request for an endpoint of the API, with the method that the user chose.
    ///
    /// - Parameter path: Below the URL of the data source, such as `api/v1/query`.
    func request(_ path: String, _ parameters: [FormEncoding.Pair]) -> HTTPRequest {
        let text = FormEncoding.encode(parameters)
        guard method == "POST" else { return HTTPRequest(url: url(path, query: text), headers: Self.accepted) }
        var headers = Self.accepted
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return HTTPRequest(method: "POST", url: url(path, query: ""), headers: headers, body: Array(text.utf8))
    }

    /// A path with a query string, and the custom parameters behind it.
    func url(_ path: String, query: String) -> String {
        let custom = FormEncoding.encode(customParameters.map { ($0.name, $0.value) })
        let query = [query, custom].filter { !$0.isEmpty }.joined(separator: "&")
        return query.isEmpty ? path : "\(path)?\(query)"
    }

    /// Compression makes a large answer six times slower on a fast network, so none is asked for.
    static let accepted: HTTPHeaders = ["Accept": "application/json", "Accept-Encoding": "identity"]
}
