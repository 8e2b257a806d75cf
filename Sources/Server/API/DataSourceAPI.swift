// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import PluginABI
import PluginHost
import Storage

/// `/api/datasources`: making, reading, changing and deleting data sources by id, uid and name.
struct DataSourceAPI: Sendable {
    let services: ServerServices

    private var model: DataSourceModel { DataSourceModel(platform: services.platform) }
    private var store: DataSourceStore { services.stores.dataSources }

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/datasources", use: list)
        router.post("api/datasources", use: add)
        router.get("api/datasources/id/:name", use: idOfName)
        for (path, key) in [("uid/:uid", "uid"), ("name/:name", "name"), (":id", "id")] {
            router.get("api/datasources/\(path)") { try await read($1, key) }
            router.delete("api/datasources/\(path)") { try await delete($1, key) }
            if key != "name" { router.put("api/datasources/\(path)") { try await update($0, $1, key) } }
        }
    }

    @Sendable
    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.admin, "datasources:read")
        let sources = try await store.list(orgID: identity.orgID, limit: services.options.dataSourceLimit)
        return .json(.array(sources.map { .object(model.summary($0)) }), cachedFor: request)
    }

    @Sendable
    private func idOfName(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        let source = try await mapping { try await store.find(orgID: identity.orgID, .name(context.parameter("name"))) }
        return .json(["id": .integer(source.id)])
    }

    private func read(_ context: APIContext, _ key: String) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.admin, "datasources:read")
        let which = try self.key(context, key)
        let source = try await mapping { try await store.find(orgID: identity.orgID, which) }
        return .json(.object(model.full(source)))
    }

    @Sendable
    private func add(_ request: Request, _ context: APIContext) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.admin, "datasources:create")
        let command = try DataSourceCommand(
            try await request.collectObject(upTo: services.options.limits.bodyBytes))
        let source = try await mapping {
            try await store.add(
                orgID: identity.orgID, command.fields, uid: command.uid, secrets: command.secrets)
        }
        services.resolver.invalidate()
        return answer(source, "Datasource added")
    }

    private func update(_ request: Request, _ context: APIContext, _ key: String) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.admin, "datasources:write")
        let which = try self.key(context, key)
        let command = try DataSourceCommand(
            try await request.collectObject(upTo: services.options.limits.bodyBytes))
        var update = DataSourceUpdate(fields: command.fields)
        update.uid = command.uid
        update.secrets = command.secrets
        // Clients that do not track versions send 0 or nothing.
        update.expectedVersion = command.version.flatMap { $0 == 0 ? nil : $0 }
        let old = try await mapping { try await store.find(orgID: identity.orgID, which) }
        let source = try await mapping("update") { try await store.update(orgID: identity.orgID, which, update) }
        services.resolver.invalidate()
        if old.uid != source.uid || old.fields.type != source.fields.type {
            // The next source of that uid must not meet an instance with the secrets of this one.
            services.platform.forgetDataSource(orgID: old.orgID, uid: old.uid, type: old.fields.type)
        }
        return answer(source, "Datasource updated")
    }

    private func delete(_ context: APIContext, _ key: String) async throws -> Response {
        let identity = try context.requireIdentity()
        try identity.require(.admin, "datasources:delete")
        let which = try self.key(context, key)
        let source = try await mapping("delete") { try await store.delete(orgID: identity.orgID, which) }
        services.resolver.invalidate()
        services.platform.forgetDataSource(orgID: source.orgID, uid: source.uid, type: source.fields.type)
        return .message("Data source deleted", key == "id" ? [:] : ["id": .integer(source.id)])
    }

    private func answer(_ source: StoredDataSource, _ message: String) -> Response {
        .json([
            "datasource": .object(model.full(source)), "id": .integer(source.id), "message": .string(message),
            "name": .string(source.fields.name),
        ])
    }

    private func key(_ context: APIContext, _ kind: String) throws -> DataSourceKey {
        let text = try context.parameter(kind)
        switch kind {
        case "uid": return .uid(text)
        case "name": return .name(text)
        default:
            guard let id = Int64(text) else { throw APIError(.badRequest, "id is invalid") }
            return .id(id)
        }
    }

    /// Gives the store's failures the words that clients know.
    private func mapping<Value>(_ verb: String = "change", _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as StorageError {
            switch error.code {
            case .notFound: throw APIError.dataSourceNotFound
            case .nameExists: throw APIError(.conflict, "data source with the same name already exists")
            case .uidExists: throw APIError(.conflict, "data source with the same uid already exists")
            case .versionMismatch:
                throw APIError(
                    .conflict, "Datasource has already been updated by someone else. Please reload and try again")
            case .readOnly: throw APIError(.forbidden, "Cannot \(verb) read-only data source")
            default: throw error
            }
        }
    }
}
