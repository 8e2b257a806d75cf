// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What the user configured for one Loki, read from `jsonData`.
struct LokiSettings: Sendable, Equatable {
    /// Whether log frames have the shape `log-lines` of the data-plane contract; Grafana's feature toggle of that name.
    var usesLogsDataplane = false
    /// Added to the URL of every request.
    var customParameters = CustomParameters()

    init() {}

    /// - Throws: ``PluginError`` `.invalid` for a setting of the wrong type.
    init(jsonData: JSONValue) throws {
        if let value = jsonData["lokiLogsDataplane"], !value.isNull {
            guard let flag = value.bool else {
                throw PluginError(.invalid, "the setting lokiLogsDataplane is not true or false")
            }
            usesLogsDataplane = flag
        }
        customParameters = try CustomParameters(jsonData: jsonData)
    }
}

extension LokiSettings {
    /// Where the API begins below the URL of the data source.
    private static let root = "loki/api/v1/"

    /// The request for an endpoint of the API.
    ///
    /// - Parameter endpoint: Below the root of the API, such as `query_range`.
    func request(_ endpoint: String, _ parameters: [FormEncoding.Pair], headers: HTTPHeaders = [:]) -> HTTPRequest {
        var all = Self.accepted
        for (name, value) in headers { all[name] = value }
        return HTTPRequest(url: url(endpoint, query: FormEncoding.encode(parameters)), headers: all)
    }

    /// Compression makes a large answer slower on a fast network, so none is asked for.
    static let accepted: HTTPHeaders = ["Accept": "application/json", "Accept-Encoding": "identity"]

    /// The address of an endpoint below the URL of the data source, with the custom parameters behind its query.
    func url(_ endpoint: String, query: String) -> String { customParameters.url(Self.root + endpoint, query: query) }
}
