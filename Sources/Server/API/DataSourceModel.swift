// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import PluginABI
import PluginHost
import Storage

/// Data sources as JSON: what clients send, and what they get.
struct DataSourceModel {
    let platform: PluginPlatform

    /// A data source with all its keys; of secrets only the names of those that are set.
    func full(_ source: StoredDataSource) -> JSONObject {
        var object = summary(source)
        object["withCredentials"] = .bool(source.fields.withCredentials)
        object["basicAuthUser"] = .string(source.fields.basicAuthUser)
        object["secureJsonFields"] = .object(JSONObject(source.secureFieldNames.map { ($0, .bool(true)) }))
        object["version"] = .integer(Int64(source.version))
        object["apiVersion"] = .string(source.fields.apiVersion)
        return object
    }

    /// An item of the list.
    func summary(_ source: StoredDataSource) -> JSONObject {
        let fields = source.fields
        let plugin = platform.plugin(id: fields.type)
        return [
            "id": .integer(source.id), "uid": .string(source.uid), "orgId": .integer(source.orgID),
            "name": .string(fields.name), "type": .string(plugin?.id ?? fields.type),
            "typeName": .string(plugin?.name ?? fields.type),
            "typeLogoUrl": .string(plugin?.assets.smallLogo ?? "public/img/icn-datasource.svg"),
            "access": .string(fields.access), "url": .string(fields.url), "user": .string(fields.user),
            "database": .string(fields.database), "basicAuth": .bool(fields.basicAuth),
            "isDefault": .bool(fields.isDefault), "jsonData": jsonData(source), "readOnly": .bool(source.isReadOnly),
        ]
    }

    func jsonData(_ source: StoredDataSource) -> JSONValue {
        (try? JSONValue(parsing: source.fields.jsonData)) ?? .object([:])
    }
}

/// A data source as a client sends it to be made or changed.
struct DataSourceCommand {
    var fields: DataSourceFields
    var uid: String?
    var secrets: [String: Secret]
    /// The version that the client read; nil when it does not say.
    var version: Int?

    /// - Throws: ``APIError/badRequestData`` for a key of the wrong type, and for a missing name or type.
    init(_ body: JSONObject) throws {
        let name = try Self.text(body, "name").trimmingSpaces
        let type = try Self.text(body, "type")
        guard !name.isEmpty, !type.isEmpty else { throw APIError.badRequestData }
        fields = DataSourceFields(name: name, type: type)
        let access = try Self.text(body, "access")
        fields.access = access.isEmpty ? "proxy" : access
        fields.url = try Self.text(body, "url").trimmingSpaces
        fields.user = try Self.text(body, "user")
        fields.database = try Self.text(body, "database")
        fields.basicAuth = try Self.flag(body, "basicAuth")
        fields.basicAuthUser = try Self.text(body, "basicAuthUser")
        fields.withCredentials = try Self.flag(body, "withCredentials")
        fields.isDefault = try Self.flag(body, "isDefault")
        fields.apiVersion = try Self.text(body, "apiVersion")
        fields.jsonData = try Self.object(body, "jsonData").map { JSONValue.object($0).encoded() } ?? "{}"
        try Self.check(url: fields.url)
        let uid = try Self.text(body, "uid")
        self.uid = uid.isEmpty ? nil : uid
        secrets = [:]
        for (name, value) in try Self.object(body, "secureJsonData") ?? [:] {
            guard let text = value.string else { throw APIError.badRequestData }
            secrets[name] = Secret(text)
        }
        version = body["version"]?.int
    }

    private static func text(_ body: JSONObject, _ key: String) throws -> String {
        switch body[key] {
        case .string(let text)?: return text
        case nil, .null?: return ""
        default: throw APIError.badRequestData
        }
    }

    private static func flag(_ body: JSONObject, _ key: String) throws -> Bool {
        switch body[key] {
        case .bool(let value)?: return value
        case nil, .null?: return false
        default: throw APIError.badRequestData
        }
    }

    private static func object(_ body: JSONObject, _ key: String) throws -> JSONObject? {
        switch body[key] {
        case .object(let object)?: return object
        case nil, .null?: return nil
        default: throw APIError.badRequestData
        }
    }

    /// A URL may lack its scheme, as clients leave it out; control characters and spaces are refused.
    private static func check(url: String) throws {
        guard url.utf8.count <= 2048, !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw APIError(
                .badRequest, "Validation error, invalid URL: it holds spaces or control characters, or is too long")
        }
    }
}

extension String {
    /// The text without spaces at its ends.
    fileprivate var trimmingSpaces: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
