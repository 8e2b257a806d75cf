// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import PluginHost
import Signing
import Storage

/// Plugins as JSON.
struct PluginModel {
    let plugin: PluginInfo
    let setting: PluginSetting?

    private var descriptor: PluginDescriptor { plugin.descriptor }

    /// Whether the organisation uses the plugin: apps have to be enabled, all others are unless they were switched off.
    var isEnabled: Bool {
        guard plugin.state != .disabled else { return false }
        return setting?.isEnabled ?? (descriptor.type != .app || descriptor.isAutoEnabled)
    }

    /// An item of `GET /api/plugins`.
    var item: JSONObject {
        var object = common
        object["iam"] = .null
        object["accessControl"] = .null
        // Ours: what runs, and how it does.
        object["status"] = status
        return object
    }

    /// `GET /api/plugins/:id/settings`.
    var settings: JSONObject {
        var object = common
        object["autoEnabled"] = .bool(descriptor.isAutoEnabled)
        object["module"] = .string(plugin.assets.module)
        object["baseUrl"] = .string(plugin.assets.baseURL)
        object["includes"] = descriptor.json["includes"]?.array.map { .array($0) } ?? .array([])
        object["extensions"] = extensions
        object["jsonData"] = setting.flatMap { try? JSONValue(parsing: $0.jsonData) } ?? .object([:])
        object["secureJsonFields"] = .object(JSONObject((setting?.secureFieldNames ?? []).map { ($0, .bool(true)) }))
        object["loadingStrategy"] = "script"
        object["status"] = status
        return object
    }

    private var common: JSONObject {
        [
            "name": .string(plugin.name), "type": .string(descriptor.type.rawValue), "id": .string(plugin.id),
            "enabled": .bool(isEnabled), "pinned": .bool(setting?.isPinned ?? false), "info": info,
            "dependencies": dependencies, "latestVersion": "", "hasUpdate": false,
            "defaultNavUrl": .string(plugin.assets.defaultNavURL), "category": .string(descriptor.category),
            "state": .string(descriptor.state), "signature": .string(plugin.signature.status.rawValue),
            "signatureType": .string(signatureType), "signatureOrg": .string(plugin.signature.organization),
            "angularDetected": false,
        ]
    }

    private var signatureType: String {
        plugin.pluginClass == .core ? "core" : plugin.signature.type?.rawValue ?? ""
    }

    private var info: JSONValue {
        let info = descriptor.info
        let screenshots = plugin.assets.screenshots.map { shot -> JSONValue in
            ["name": .string(shot.name), "path": .string(shot.path)]
        }
        let links = info.links.map { link -> JSONValue in ["name": .string(link.name), "url": .string(link.url)] }
        return [
            "author": ["name": .string(info.authorName), "url": .string(info.authorURL)],
            "description": .string(info.description), "links": .array(links),
            "logos": ["small": .string(plugin.assets.smallLogo), "large": .string(plugin.assets.largeLogo)],
            "build": descriptor.json["info"]?["build"] ?? .object([:]), "screenshots": .array(screenshots),
            "version": .string(info.version), "updated": .string(info.updated),
            "keywords": .array(info.keywords.map { .string($0) }),
        ]
    }

    private var dependencies: JSONValue {
        let dependencies = descriptor.dependencies
        let plugins = dependencies.plugins.map { other -> JSONValue in
            ["id": .string(other.id), "type": .string(other.type), "name": .string(other.name)]
        }
        return [
            "grafanaDependency": .string(dependencies.grafanaDependency),
            "grafanaVersion": .string(dependencies.grafanaVersion), "plugins": .array(plugins),
            "extensions": descriptor.json["dependencies"]?["extensions"] ?? ["exposedComponents": []],
        ]
    }

    private var extensions: JSONValue {
        var object: JSONObject = descriptor.json["extensions"]?.object ?? [:]
        for key in ["addedLinks", "addedComponents", "exposedComponents", "extensionPoints", "addedFunctions"]
        where object[key] == nil {
            object[key] = .array([])
        }
        return .object(object)
    }

    private var status: JSONValue {
        [
            "state": .string(plugin.state.name), "level": plugin.level.map { .string($0.name) } ?? .null,
            "generation": .integer(Int64(plugin.generation)), "callsRunning": .integer(Int64(plugin.callsRunning)),
            "callsTotal": .integer(Int64(plugin.callsTotal)), "callsAbandoned": .integer(Int64(plugin.callsAbandoned)),
            "rulesBroken": .integer(Int64(plugin.rulesBroken)), "process": process,
            "permissions": permissions, "quarantine": quarantine,
            "signature": plugin.signature.verdict.map(SignatureModel.json) ?? .null,
        ]
    }

    /// Why the plugin does not run in the server's process, where it might; null when nothing is wrong.
    private var quarantine: JSONValue {
        guard let quarantine = plugin.quarantine else { return .null }
        return [
            "cause": .string(quarantine.cause.rawValue), "reason": .string(quarantine.reason),
            "version": .string(quarantine.version),
            "since": .string(
                Date(timeIntervalSince1970: Double(quarantine.since.nanoseconds) / 1e9).formatted(.iso8601)),
            "documentation": "docs/troubleshooting.md#quarantine",
        ]
    }

    /// What plugin.json asks for; a sandbox allows that and nothing else.
    private var permissions: JSONValue {
        let permissions = descriptor.permissions
        return [
            "hosts": .array(permissions.hosts.map { .string($0) }),
            "paths": .array(permissions.paths.map { .string($0) }),
            "env": .array(permissions.env.map { .string($0) }),
        ]
    }

    /// The plugin's own process; null for one that has none.
    private var process: JSONValue {
        guard let process = plugin.process else { return .null }
        return [
            "state": .string(process.state.rawValue), "pid": .integer(Int64(process.processID)),
            "restarts": .integer(Int64(process.restarts)), "memoryBytes": .integer(Int64(process.memoryBytes)),
            "processorSeconds": .number(process.processorSeconds), "lastFailure": .string(process.lastFailure),
            "enforced": .array(process.enforced.map { .string($0) }),
            "limitsHit": .object(JSONObject(process.limitsHit.map { ($0.key, .integer(Int64($0.value))) })),
        ]
    }

    /// An object of `GET /api/plugins/errors`: Grafana's keys, and the facts and the remedy that ours has.
    ///
    /// A folder whose plugin.json says no id goes by its name. Nil for what is left out on purpose.
    static func refusal(_ refusal: PluginRefusal) -> JSONValue? {
        guard refusal.isFault else { return nil }
        let code = refusal.grafanaErrorCode ?? refusal.code.rawValue
        let id = refusal.pluginID ?? refusal.folder.split(separator: "/").last.map(String.init) ?? ""
        var object: JSONObject = [
            "errorCode": .string(code), "pluginId": .string(id), "message": .string(refusal.message),
            "code": .string(refusal.code.rawValue), "found": .string(refusal.found),
            "expected": .string(refusal.expected),
            "remedy": .string(refusal.remedy), "folder": .string(refusal.folder),
            "documentation": .string(refusal.documentation),
        ]
        if let verdict = refusal.signature {
            object["status"] = .string(verdict.status.rawValue)
            object["signature"] = SignatureModel.json(verdict)
        }
        return .object(object)
    }
}
