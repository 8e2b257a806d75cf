// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import FoundationEssentials
internal import GoPlugin
internal import PluginABI

/// One data source of a Go plugin: what every request says about it.
final class GoInstance: Sendable {
    let library: GoLibrary
    private let context: Pluginv2_PluginContext

    init(library: GoLibrary, configuration: DataSourceConfiguration) {
        self.library = library
        let backend = library.backend
        let settings = configuration.settings
        var source = Pluginv2_DataSourceInstanceSettings()
        source.id = settings.id
        source.uid = settings.uid
        source.name = settings.name
        source.url = settings.url
        source.user = settings.user
        source.database = settings.database
        source.basicAuthEnabled = settings.basicAuthEnabled
        source.basicAuthUser = settings.basicAuthUser
        source.jsonData = Data(settings.jsonData.encoded().utf8)
        source.decryptedSecureJsonData = configuration.secrets
        // A plugin keeps its own instance as long as this time stays the same.
        source.lastUpdatedMs = settings.updated.nanoseconds / 1_000_000
        var context = Pluginv2_PluginContext()
        context.orgID = settings.orgID
        context.pluginID = backend.id
        context.pluginVersion = backend.version
        context.userAgent = backend.userAgent
        context.grafanaConfig = backend.settings.grafanaConfig
        context.dataSourceInstanceSettings = source
        self.context = context
    }

    static func from(_ instance: OpaquePointer?) -> GoInstance? {
        instance.map { Unmanaged<GoInstance>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() }
    }

    /// The context of one call.
    func context(of principal: Principal?) -> Pluginv2_PluginContext {
        guard let principal else { return context }
        var context = context
        var user = Pluginv2_User()
        user.login = principal.login
        user.name = principal.name
        user.email = principal.email
        user.role = principal.role
        context.user = user
        return context
    }
}

/// The headers of a client as Grafana's protocol writes them.
enum GoHeaders {
    /// For queries, health checks and streams: `http_` before the name, except for those that plugins read bare.
    static func map(_ headers: [String: String]) -> [String: String] {
        var map: [String: String] = [:]
        for (name, value) in headers {
            switch name.lowercased() {
            case "authorization": map["Authorization"] = value
            case "x-id-token": map["X-Id-Token"] = value
            case "cookie": map["Cookie"] = value
            case "fromalert": map["FromAlert"] = value
            default: map["http_" + canonical(name)] = value
            }
        }
        return map
    }

    /// For resource requests: every value of each name.
    static func lists(_ headers: HTTPHeaders) -> [String: Pluginv2_StringList] {
        var lists: [String: Pluginv2_StringList] = [:]
        for field in headers { lists[canonical(field.name), default: Pluginv2_StringList()].values.append(field.value) }
        return lists
    }

    /// `x-grafana-user` as `X-Grafana-User`, the way Go writes names.
    static func canonical(_ name: String) -> String {
        var isStart = true
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            let isLower = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            bytes.append(isStart && isLower ? byte - 32 : !isStart && isUpper ? byte + 32 : byte)
            isStart = byte == UInt8(ascii: "-")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
