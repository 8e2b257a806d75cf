// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import PluginABI
import PluginHost
import Storage

/// `/api/plugins`: what is installed, its settings, and switching it on and off.
struct PluginAPI: Sendable {
    let services: ServerServices

    private var platform: PluginPlatform { services.platform }
    private static let methods: [RequestMethod] = [.get, .post, .put, .patch, .delete]

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/plugins", use: list)
        router.get("api/plugins/errors", use: errors)
        router.post("api/plugins/reload") { try await reload($0, $1, id: nil) }
        router.get("api/plugins/:id", use: plugin)
        router.get("api/plugins/:id/settings", use: settings)
        router.post("api/plugins/:id/settings", use: saveSettings)
        router.get("api/plugins/:id/health", use: health)
        router.get("api/plugins/:id/metrics", use: metrics)
        router.post("api/plugins/:id/enable") { try await setEnabled(true, $1) }
        router.post("api/plugins/:id/disable") { try await setEnabled(false, $1) }
        router.delete("api/plugins/:id/quarantine", use: release)
        router.post("api/plugins/:id/reload") { try await reload($0, $1, id: $1.parameter("id")) }
        for method in Self.methods {
            for suffix in ["", "/**"] {
                router.on(RouterPath("api/plugins/:id/resources" + suffix), method: method, use: resource)
            }
        }
    }

    @Sendable
    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        let settings = try await services.stores.pluginSettings.list(orgID: identity.orgID)
        let byID = Dictionary(settings.map { ($0.pluginID, $0) }, uniquingKeysWith: { first, _ in first })
        let filter = PluginFilter(request, services.options, identity)
        let models = platform.plugins.map { PluginModel(plugin: $0, setting: byID[$0.id]) }.filter(filter.accepts)
        let sorted = models.sorted { $0.plugin.name.lowercased() < $1.plugin.name.lowercased() }
        return .json(.array(sorted.map { .object($0.item) }), cachedFor: request)
    }

    @Sendable
    private func errors(_ request: Request, _ context: APIContext) throws -> Response {
        try context.requireIdentity().require(.admin, "plugins:install")
        return .json(.array(platform.refusals.compactMap(PluginModel.refusal)))
    }

    /// One item of the list.
    @Sendable
    private func plugin(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        let id = try context.parameter("id")
        guard let plugin = platform.plugin(id: id) else { throw missing(id) }
        let setting = try await services.stores.pluginSettings.find(orgID: identity.orgID, pluginID: plugin.id)
        return .json(.object(PluginModel(plugin: plugin, setting: setting).item))
    }

    @Sendable
    private func settings(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        let id = try context.parameter("id")
        guard let plugin = platform.plugin(id: id) else { throw missing(id) }
        let setting = try await services.stores.pluginSettings.find(orgID: identity.orgID, pluginID: plugin.id)
        return .json(.object(PluginModel(plugin: plugin, setting: setting).settings))
    }

    /// A plugin that was refused answers 500 with the reason, one that is not there 404.
    private func missing(_ id: String) -> APIError {
        guard let refusal = platform.refusals.first(where: { $0.pluginID == id && $0.grafanaErrorCode != nil }) else {
            return APIError(.notFound, "Plugin not found, no installed plugin with that id")
        }
        var error = APIError(.internalServerError, refusal.grafanaMessage)
        error.extra = ["error": .string(refusal.description)]
        return error
    }

    @Sendable
    private func saveSettings(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.admin, "plugins:write")
        guard let plugin = platform.plugin(id: try context.parameter("id")) else {
            throw APIError(.notFound, "Plugin not installed")
        }
        let body = try await request.collectObject(upTo: services.options.limits.bodyBytes)
        if plugin.descriptor.isAutoEnabled, body["enabled"]?.bool == false {
            throw APIError(.badRequest, "Cannot disable auto-enabled plugin")
        }
        var update = PluginSettingUpdate()
        update.isEnabled = body["enabled"]?.bool
        update.isPinned = body["pinned"]?.bool
        if let data = body["jsonData"], data != .null {
            guard data.object != nil else { throw APIError.badRequestData }
            update.jsonData = data.encoded()
        }
        for (name, value) in body["secureJsonData"]?.object ?? [:] {
            guard let text = value.string else { throw APIError.badRequestData }
            update.secrets[name] = Secret(text)
        }
        _ = try await services.stores.pluginSettings.save(orgID: identity.orgID, pluginID: plugin.id, update)
        return .message("Plugin settings updated")
    }

    /// The plugin itself has no instance to check; what runs says so, what does not says why.
    @Sendable
    private func health(_ request: Request, _ context: APIContext) throws -> Response {
        _ = try context.requireIdentity()
        guard let plugin = platform.plugin(id: try context.parameter("id")) else {
            throw APIError(.notFound, "Plugin not found", messageID: "plugin.notFound")
        }
        switch plugin.state {
        case .running:
            let details: JSONValue = [
                "generation": .integer(Int64(plugin.generation)), "version": .string(plugin.version),
            ]
            return ResourceAPI.answer(HealthResult(.ok, "The plugin is running", details: details))
        case .disabled:
            return ResourceAPI.answer(
                HealthResult(.error, "The plugin is switched off"), unhealthy: .serviceUnavailable)
        case .frontendOnly:
            throw APIError(.internalServerError, "Plugin unavailable", messageID: "plugin.unavailable")
        }
    }

    @Sendable
    private func metrics(_ request: Request, _ context: APIContext) throws -> Response {
        _ = try context.requireIdentity()
        let id = try context.parameter("id")
        guard let plugin = platform.plugin(id: id), let text = platform.metricsText(pluginID: id) else {
            throw APIError(.notFound, "Plugin not registered", messageID: "plugin.notRegistered")
        }
        guard plugin.state != .frontendOnly else {
            throw APIError(
                .internalServerError, "An error occurred within the plugin", messageID: "plugin.downstreamError")
        }
        return .text(text, type: "text/plain; version=0.0.4; charset=utf-8")
    }

    /// App plugins with a backend come later; a data source's resources are below `/api/datasources`.
    @Sendable
    private func resource(_ request: Request, _ context: APIContext) throws -> Response {
        _ = try context.requireIdentity()
        guard let plugin = platform.plugin(id: try context.parameter("id")) else {
            throw APIError(.notFound, "Plugin not found", messageID: "plugin.notFound")
        }
        guard plugin.descriptor.type == .datasource else { throw APIError(.notFound, "Not found") }
        throw APIError(
            .notFound, "Not found: the resources of a data source are below /api/datasources/uid/:uid/resources")
    }

    private func setEnabled(_ isEnabled: Bool, _ context: APIContext) async throws -> Response {
        try context.requireIdentity().requireServerAdmin("plugins:install")
        try checkAdministration()
        let id = try context.parameter("id")
        guard let plugin = platform.plugin(id: id) else { throw missing(id) }
        do {
            try await platform.setEnabled(isEnabled, id: id)
            let disabled = KeyValueStore.disabledPlugins
            if isEnabled {
                try await services.stores.keyValues.delete(orgID: 0, namespace: disabled, key: plugin.id)
            } else {
                try await services.stores.keyValues.set(orgID: 0, namespace: disabled, key: plugin.id, to: [])
            }
        } catch let refusal as PluginRefusal {
            throw Self.refused(refusal)
        }
        return .message(isEnabled ? "Plugin enabled" : "Plugin disabled")
    }

    /// Lets a quarantined plugin come back into the server's process.
    @Sendable
    private func release(_ request: Request, _ context: APIContext) async throws -> Response {
        try context.requireIdentity().requireServerAdmin("plugins:install")
        do {
            try await platform.releaseFromQuarantine(id: try context.parameter("id"))
        } catch let refusal as PluginRefusal {
            throw Self.refused(refusal)
        }
        return .message("Plugin released from quarantine")
    }

    private func reload(_ request: Request, _ context: APIContext, id: String?) async throws -> Response {
        try context.requireIdentity().requireServerAdmin("plugins:install")
        try checkAdministration()
        guard let id else {
            let refusals = await platform.reload()
            return .message(
                "Plugins reloaded",
                [
                    "plugins": .integer(Int64(platform.plugins.count)),
                    "refusals": .array(refusals.filter(\.isFault).compactMap(PluginModel.refusal)),
                ])
        }
        do {
            try await platform.reload(id: id)
        } catch let refusal as PluginRefusal {
            throw Self.refused(refusal)
        } catch let error as PluginError where error.code == .forbidden {
            throw APIError(.forbidden, "Cannot install or change a Core plugin")
        } catch let error as PluginError where error.code == .notFound {
            throw missing(id)
        }
        return .message("Plugin reloaded", ["generation": .integer(Int64(platform.plugin(id: id)?.generation ?? 0))])
    }

    private func checkAdministration() throws {
        guard services.options.isPluginAdminEnabled else { throw APIError.notFound }
    }

    private static func refused(_ refusal: PluginRefusal) -> APIError {
        var error = APIError(.conflict, refusal.description, messageID: "plugin.\(refusal.code.rawValue)")
        error.extra = PluginModel.refusal(refusal)?.object ?? [:]
        error.extra["message"] = .string(refusal.description)
        return error
    }
}

/// The query parameters of `GET /api/plugins`.
private struct PluginFilter {
    private let type: String?
    private let isEnabled: Bool?
    private let isCore: Bool?
    private let showsAlpha: Bool

    init(_ request: Request, _ options: ServerOptions, _ identity: Identity) {
        type = request.query("type").flatMap { $0.isEmpty ? nil : $0 }
        isEnabled = Self.flag(request.query("enabled"))
        // Who does not administer sees what is part of the server.
        let seesAll = identity.role >= .admin || identity.isServerAdmin
        isCore = seesAll ? Self.flag(request.query("core")) : true
        showsAlpha = options.listsAlphaPlugins
    }

    func accepts(_ model: PluginModel) -> Bool {
        let descriptor = model.plugin.descriptor
        if descriptor.isBuiltIn || (descriptor.state == "alpha" && !showsAlpha) { return false }
        if let type, descriptor.type.rawValue != type { return false }
        if let isEnabled, model.isEnabled != isEnabled { return false }
        if let isCore, (model.plugin.pluginClass == .core) != isCore { return false }
        return true
    }

    private static func flag(_ text: String?) -> Bool? {
        switch text {
        case "1"?, "true"?: true
        case "0"?, "false"?: false
        default: nil
        }
    }
}
