// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI
import PluginHost
import Signing
import Storage

/// `/api/plugins/trust`: who may sign plugins, for all servers that share the database.
///
/// For server administrators.
struct PluginTrustAPI: Sendable {
    let services: ServerServices

    private var trust: ServerTrust { services.trust }

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/plugins/trust", use: list)
        router.post("api/plugins/trust/keys", use: addKey)
        router.delete("api/plugins/trust/keys/:fingerprint", use: removeKey)
        router.post("api/plugins/trust/revocations", use: revoke)
    }

    @Sendable
    private func list(_ request: Request, _ context: APIContext) throws -> Response {
        try checkRights(context)
        var object: JSONObject = ["problems": .array(trust.report.problems.map { .string($0) })]
        do {
            let store = try trust.current.store
            object["keys"] = .array(store.keys.map { key($0, in: store) })
            object["revocations"] = Self.revocations(store.revocations)
        } catch {
            object["keys"] = []
            object["revocations"] = .null
        }
        return .json(.object(object))
    }

    private func key(_ key: TrustedKey, in store: TrustStore) -> JSONValue {
        let reason = store.revocations.entry(of: key.key)?.reason
        let revoked = reason ?? (key.key.isRevoked ? "by its owner" : nil)
        let signed = services.platform.plugins.filter {
            $0.signature.verdict?.signer?.fingerprint == key.key.fingerprint
        }
        return [
            "fingerprint": .string(key.key.fingerprint), "keyId": .string(key.key.keyID), "owner": .string(key.owner),
            "algorithm": .string(key.key.algorithm), "created": .integer(key.key.createdAt * 1000),
            "expires": key.key.expiresAt.map { .integer($0 * 1000) } ?? .null,
            "plugins": .array(key.plugins.map { .string($0) }), "types": .array(key.sortedTypes.map { .string($0) }),
            "level": .string(key.level.rawValue), "mayRevoke": .bool(key.mayRevoke),
            "grantedBy": .string(key.grantedBy),
            "revoked": revoked.map { .string($0) } ?? .null,
            "signed": .array(signed.map { .string($0.id) }),
        ]
    }

    private static func revocations(_ list: RevocationList) -> JSONValue {
        func entries(_ entries: [RevocationList.Entry], _ name: String) -> JSONValue {
            .array(entries.map { .object([name: .string($0.subject), "reason": .string($0.reason)]) })
        }
        return [
            "serial": .integer(list.serial), "time": .integer(list.timeMilliseconds),
            "signedBy": .string(list.signedBy), "keys": entries(list.keys, "fingerprint"),
            "files": entries(list.files, "sha256"),
        ]
    }

    /// The body is a key with its grants; a key that is there gets the new grants.
    @Sendable
    private func addKey(_ request: Request, _ context: APIContext) async throws -> Response {
        try checkRights(context)
        let body = try await request.collectObject(upTo: services.options.limits.bodyBytes)
        do {
            let key = try StoredTrustKey(json: .object(body))
            let fingerprint = key.trusted.key.fingerprint
            try checkFolder(has: fingerprint)
            if !key.trusted.mayRevoke { try checkSignsNoList(fingerprint) }
            try await services.stores.pluginTrust.setKey(fingerprint: fingerprint, content: try key.content())
            await apply()
            return .message("Key trusted", ["fingerprint": .string(fingerprint)])
        } catch let error as SigningError {
            throw Self.refused(error)
        }
    }

    @Sendable
    private func removeKey(_ request: Request, _ context: APIContext) async throws -> Response {
        try checkRights(context)
        let fingerprint = try context.parameter("fingerprint").uppercased()
        try checkSignsNoList(fingerprint)
        guard try await services.stores.pluginTrust.removeKey(fingerprint: fingerprint) else {
            try checkFolder(has: fingerprint)
            throw APIError(.notFound, "the database has no such key")
        }
        await apply()
        return .message("Key no longer trusted")
    }

    /// The body is the signed list, as `grafana-sign trust revoke` writes it into `revocations.txt`.
    @Sendable
    private func revoke(_ request: Request, _ context: APIContext) async throws -> Response {
        try checkRights(context)
        let body = try await request.collect(
            upTo: min(services.options.limits.bodyBytes, PluginTrustStore.largestContent))
        do {
            let store = try trust.current.store
            let list = try store.openRevocations(
                Array(body.readableBytesView), minimumSerial: 0, now: StoreClock.system.epochSeconds)
            try await services.stores.pluginTrust.setRevocations(
                PluginRevocations(serial: list.serial, content: String(buffer: body)))
            await apply()
            return .message("Revocations taken over", ["serial": .integer(list.serial)])
        } catch let error as SigningError {
            throw Self.refused(error)
        } catch let error as StorageError where error.code == .versionMismatch {
            throw APIError(.conflict, error.message, messageID: "plugin.trust.revocations-rolled-back")
        }
    }

    /// Lets the change count on this server before the answer; others see it within a second or two.
    private func apply() async {
        await trust.reload()
        // Also when the watch was faster with the reload: the answer comes after the plugins have followed.
        await services.platform.trustChanged()
    }

    /// A key of the folder counts whatever the database says, so a change here would be without effect.
    private func checkFolder(has fingerprint: String) throws {
        guard let key = (try? trust.current.store)?.keys.first(where: { $0.key.fingerprint == fingerprint }),
            key.grantedBy.hasSuffix(".json")
        else { return }
        throw APIError(
            .conflict, "the key is in the trust folder, which counts before the database; change \(key.grantedBy)",
            messageID: "plugin.trust.in-folder")
    }

    /// A list whose key may not revoke any more would count no longer, and nothing would be trusted after a restart.
    private func checkSignsNoList(_ fingerprint: String) throws {
        guard let store = try? trust.current.store, store.revocations.signedBy == fingerprint else { return }
        throw APIError(
            .conflict,
            "the key signed the list of revocations \(store.revocations.serial), which would no longer verify; add a "
                + "newer list by another key first", messageID: "plugin.trust.signs-revocations")
    }

    private func checkRights(_ context: APIContext) throws {
        try context.requireIdentity().requireServerAdmin("plugins:install")
        guard services.options.isPluginAdminEnabled else { throw APIError.notFound }
    }

    private static func refused(_ error: SigningError) -> APIError {
        APIError(.badRequest, error.message, messageID: "plugin.trust.\(error.code.rawValue)")
    }
}
