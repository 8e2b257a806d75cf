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
    var customParameters = CustomParameters()

    static let defaultScrapeInterval = "15s"

    init() {}

    /// - Throws: ``PluginError`` `.invalid` for a setting of the wrong type or an unknown method.
    init(jsonData: JSONValue) throws {
        let method = try jsonData.settingText("httpMethod").uppercased()
        guard ["", "GET", "POST"].contains(method) else {
            throw PluginError(.invalid, "the setting httpMethod is \"\(method)\"; use POST or GET")
        }
        if !method.isEmpty { self.method = method }
        let interval = try jsonData.settingText("timeInterval")
        if !interval.isEmpty { scrapeInterval = interval }
        queryTimeout = try jsonData.settingText("queryTimeout")
        customParameters = try CustomParameters(jsonData: jsonData)
    }

    /// Whether the answers hold statistics, which come last and belong to the first frame.
    var asksForStatistics: Bool { customParameters.contains("stats") }
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
    func url(_ path: String, query: String) -> String { customParameters.url(path, query: query) }

    /// Compression makes a large answer six times slower on a fast network, so none is asked for.
    static let accepted: HTTPHeaders = ["Accept": "application/json", "Accept-Encoding": "identity"]
}
