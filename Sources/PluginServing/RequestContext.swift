// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI
internal import PluginHost

/// What a request says about who asks, and for which data source.
struct RequestContext: Sendable {
    private let context: Pluginv2_PluginContext

    init(_ context: Pluginv2_PluginContext) { self.context = context }

    /// The settings of the data source, or of the app.
    ///
    /// - Throws: ``GRPCStatus`` `.invalidArgument` when there are none, or when they cannot be read.
    func source(pluginID: String) throws -> DataSourceConfiguration {
        guard context.hasDataSourceInstanceSettings else { return try appSource(pluginID: pluginID) }
        let sent = context.dataSourceInstanceSettings
        let settings = DataSourceInstanceSettings(
            id: sent.id, orgID: context.orgID, uid: sent.uid, name: sent.name, pluginID: pluginID, url: sent.url,
            user: sent.user, database: sent.database, basicAuthEnabled: sent.basicAuthEnabled,
            basicAuthUser: sent.basicAuthUser, jsonData: try Self.json(sent.jsonData),
            updated: Timestamp(milliseconds: sent.lastUpdatedMs))
        return DataSourceConfiguration(
            settings: settings, secrets: sent.decryptedSecureJsonData, version: Int(sent.lastUpdatedMs))
    }

    private func appSource(pluginID: String) throws -> DataSourceConfiguration {
        guard context.hasAppInstanceSettings else {
            throw GRPCStatus(
                .invalidArgument, "the request names no data source: it has neither settings of one nor of an app")
        }
        let sent = context.appInstanceSettings
        let settings = DataSourceInstanceSettings(
            orgID: context.orgID, uid: "", name: "", pluginID: pluginID, jsonData: try Self.json(sent.jsonData),
            updated: Timestamp(milliseconds: sent.lastUpdatedMs))
        return DataSourceConfiguration(
            settings: settings, secrets: sent.decryptedSecureJsonData, version: Int(sent.lastUpdatedMs))
    }

    private static func json(_ data: Data) throws -> JSONValue {
        if data.isEmpty { return [:] }
        guard let value = try? JSONValue(parsing: Array(data)), value.object != nil || value.isNull else {
            throw GRPCStatus(.invalidArgument, "the settings' jsonData is not a JSON object")
        }
        return value.isNull ? [:] : value
    }

    /// Who asks, with the headers that the host lets through.
    ///
    /// - Parameter headers: Names in lower case.
    func facts(headers: [String: String], of call: GRPCServerCall) -> CallFacts {
        var principal: Principal?
        if context.hasUser {
            principal = Principal(
                orgID: context.orgID, login: context.user.login, name: context.user.name, email: context.user.email,
                role: context.user.role)
        }
        let locale = headers["accept-language"].map { String($0.prefix { $0 != "," && $0 != ";" }.prefix(35)) }
        return CallFacts(
            principal: principal, headers: headers, traceParent: call.metadata("traceparent") ?? "",
            locale: locale ?? "", timeLimit: call.deadline.map { max(.zero, ContinuousClock.now.duration(to: $0)) })
    }

    /// The headers of queries, health checks and streams, whose names have `http_` before them, but for those that
    /// plugins read bare.
    static func headers(_ map: [String: String]) -> [String: String] {
        var headers: [String: String] = [:]
        for (name, value) in map.sorted(by: { $0.key < $1.key }) {
            let bare = name.hasPrefix("http_") ? String(name.dropFirst(5)) : name
            headers[bare.lowercased()] = value
        }
        return headers
    }
}

extension GRPCStatus {
    /// The end of a call that failed as a whole.
    init(_ error: PluginError) {
        let code: Code =
            switch error.code {
            case .cancelled: .cancelled
            case .timeout: .deadlineExceeded
            case .unsupported: .unimplemented
            case .limit: .resourceExhausted
            case .invalid: .invalidArgument
            case .notFound: .notFound
            case .unauthenticated: .unauthenticated
            case .forbidden: .permissionDenied
            // The host asks again, as it should: the instance is another one now.
            case .state where error.hint == "instance-replaced": .aborted
            default: .unknown
            }
        self.init(code, error.message, errorSource: error.source.grafanaName)
    }
}
