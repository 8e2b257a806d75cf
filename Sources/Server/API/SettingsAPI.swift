// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import PluginABI
import PluginHost
import Settings
import Storage

/// `/api/frontend/settings`, which every modern client asks for first, and `/api/admin/settings`.
struct SettingsAPI: Sendable {
    let services: ServerServices

    private var options: ServerOptions { services.options }

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/frontend/settings", use: frontend)
        router.get("api/admin/settings", use: admin)
    }

    @Sendable
    private func admin(_ request: Request, _ context: APIContext) throws -> Response {
        try context.requireIdentity().requireServerAdmin("settings:read")
        let sections = services.settings.redacted().sorted { $0.key < $1.key }
        return .json(
            .object(
                JSONObject(
                    sections.map { name, values in
                        let members = values.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
                        return (name, .object(JSONObject(members)))
                    })))
    }

    @Sendable
    private func frontend(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        let sources = try await services.stores.dataSources.list(
            orgID: identity.orgID, limit: options.dataSourceLimit)
        var object = fixedFields
        object["namespace"] = identity.orgID == 1 ? "default" : .string("org-\(identity.orgID)")
        object["datasources"] = dataSources(sources)
        object["defaultDatasource"] = .string(sources.first(where: \.fields.isDefault)?.fields.name ?? "-- Grafana --")
        object["panels"] = plugins(.panel)
        object["apps"] = plugins(.app)
        object["buildInfo"] = buildInfo
        return .json(.object(object), cachedFor: request)
    }

    private var fixedFields: JSONObject {
        [
            "appUrl": .string(options.rootURL), "appSubUrl": .string(options.subPath), "featureToggles": toggles,
            "licenseInfo": [
                "expiry": 0, "stateInfo": "", "licenseUrl": "", "edition": "Open Source", "enabledFeatures": [:],
            ], "liveEnabled": true, "rendererAvailable": false, "rendererVersion": "",
            "rendererDefaultImageWidth": 1000, "rendererDefaultImageHeight": 500, "rendererDefaultImageScale": 1,
            "anonymousEnabled": .bool(options.anonymous != nil), "unifiedAlertingEnabled": false,
            "unifiedAlerting": ["minInterval": "10s"], "expressionsEnabled": false, "snapshotEnabled": false,
            "publicDashboardsEnabled": false, "pluginAdminEnabled": .bool(options.isPluginAdminEnabled),
            "minRefreshInterval": .string(options.minimumRefreshInterval), "autoAssignOrg": true,
            "disableLoginForm": .bool(options.disablesLoginForm), "rootFolderUID": "",
            "sharedWithMeFolderUID": "sharedwithme",
            "sqlConnectionLimits": ["maxOpenConns": 100, "maxIdleConns": 100, "connMaxLifetime": 14_400],
            "dateFormats": [
                "fullDate": "YYYY-MM-DD HH:mm:ss", "useBrowserLocale": false,
                "interval": [
                    "millisecond": "HH:mm:ss.SSS", "second": "HH:mm:ss", "minute": "HH:mm", "hour": "MM/DD HH:mm",
                    "day": "MM/DD", "month": "YYYY-MM", "year": "YYYY",
                ], "defaultTimezone": "browser", "defaultWeekStart": "browser",
            ], "oauth": [:], "http2Enabled": false, "loginError": "",
        ]
    }

    private var buildInfo: JSONValue {
        let version = ServerOptions.announcedVersion
        return [
            "version": .string(version), "versionString": .string("Grafana v\(version)"),
            "commit": .string(options.commit), "commitShort": .string(String(options.commit.prefix(10))),
            "buildstamp": 0, "edition": "Open Source", "latestVersion": "", "hasUpdate": false,
            "env": options.isDevelopment ? "development" : "production",
            "hideVersion": .bool(options.anonymous?.hidesVersion ?? false),
        ]
    }

    private var toggles: JSONValue {
        .object(JSONObject(options.featureToggles.map { ($0, .bool(true)) }))
    }

    private func plugins(_ type: PluginType) -> JSONValue {
        let chosen = services.platform.plugins.filter { $0.descriptor.type == type && $0.state != .disabled }
        return .object(JSONObject(chosen.map { ($0.id, meta($0)) }))
    }

    private func meta(_ plugin: PluginInfo) -> JSONValue {
        var object = PluginModel(plugin: plugin, setting: nil).settings
        object["status"] = nil
        object["jsonData"] = nil
        object["secureJsonFields"] = nil
        for key in ["metrics", "logs", "annotations", "alerting", "streaming", "backend"] {
            object[key] = plugin.descriptor.json[key]
        }
        return .object(object)
    }

    private func dataSources(_ sources: [StoredDataSource]) -> JSONValue {
        let model = DataSourceModel(platform: services.platform)
        var object: JSONObject = [:]
        for source in sources {
            var item = model.summary(source)
            let plugin = services.platform.plugin(id: source.fields.type)
            // Browsers ask through this server: an address of the inside is no use to them.
            if source.fields.access == "proxy" {
                item["url"] = .string(options.link("/api/datasources/proxy/uid/\(source.uid)"))
            }
            for key in ["user", "orgId", "typeLogoUrl", "typeName", "basicAuth"] { item[key] = nil }
            item["meta"] = plugin.map(meta) ?? .object(["id": .string(source.fields.type)])
            item["module"] = .string(plugin?.assets.module ?? "")
            object[source.fields.name] = .object(item)
        }
        for (name, uid, type, id) in [
            ("-- Grafana --", "grafana", "datasource", -1), ("-- Mixed --", "-- Mixed --", "datasource", 0),
            ("-- Dashboard --", "-- Dashboard --", "datasource", 0),
        ] as [(String, String, String, Int64)] {
            object[name] = [
                "id": .integer(id), "uid": .string(uid), "name": .string(name), "type": .string(type), "url": "",
                "isDefault": false, "access": "proxy", "meta": ["id": .string(uid), "builtIn": true], "module": "",
                "jsonData": [:], "readOnly": true,
            ]
        }
        return .object(object)
    }
}
