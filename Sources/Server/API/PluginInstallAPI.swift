// SPDX-License-Identifier: Apache-2.0
import Catalog
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI

/// `POST /api/plugins/:id/install` and `/uninstall`.
///
/// A client that accepts `application/x-ndjson` is told the progress: one JSON object a line, the last with `"event":
/// "end"`, the status and the message. When it hangs up before, the installation is undone.
struct PluginInstallAPI: Sendable {
    let services: ServerServices
    private static let lines = "application/x-ndjson"

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.post("api/plugins/:id/install", use: install)
        router.post("api/plugins/:id/uninstall", use: uninstall)
    }

    private func administration(_ context: APIContext) throws -> PluginAdministration {
        try context.requireIdentity().requireServerAdmin("plugins:install")
        guard services.options.isPluginAdminEnabled, let administration = services.administration else {
            throw APIError.notFound
        }
        return administration
    }

    @Sendable
    private func install(_ request: Request, _ context: APIContext) async throws -> Response {
        let administration = try administration(context)
        let id = try context.parameter("id")
        let body = try await request.collectObject(upTo: services.options.limits.bodyBytes)
        let (version, consent) = (body["version"]?.string, Self.consent(body))
        if request.headers[.accept] == Self.lines { return stream(administration, id, version, consent) }
        do {
            let outcome = try await administration.install(id, version: version, consent: consent) { _ in }
            return .message(Self.words(outcome, id))
        } catch let error as CatalogError {
            throw APIError(error)
        }
    }

    private static func consent(_ body: JSONObject) -> InstallConsent {
        var consent = InstallConsent()
        consent.permissions = Set((body["permissions"]?.array ?? []).compactMap(\.string))
        consent.acceptsPublisher = body["acceptPublisher"]?.bool ?? false
        consent.allowsDowngrade = body["allowDowngrade"]?.bool ?? false
        return consent
    }

    private func stream(
        _ administration: PluginAdministration, _ id: String, _ version: String?, _ consent: InstallConsent
    ) -> Response {
        let body = ResponseBody { writer in
            let (events, continuation) = AsyncStream.makeStream(
                of: JSONValue.self, bufferingPolicy: .bufferingNewest(256))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { continuation.finish() }
                    let end = try await Self.end(administration, id, version, consent) { continuation.yield($0.json) }
                    continuation.yield(end)
                }
                for await event in events { try await writer.write(ByteBuffer(string: event.encoded() + "\n")) }
                try await group.waitForAll()
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: Self.lines, .cacheControl: "no-store"], body: body)
    }

    /// Installs, and gives the last line.
    private static func end(
        _ administration: PluginAdministration, _ id: String, _ version: String?, _ consent: InstallConsent,
        event: @escaping @Sendable (InstallEvent) -> Void
    ) async throws -> JSONValue {
        do {
            let outcome = try await administration.install(id, version: version, consent: consent, event: event)
            return ["event": "end", "status": 200, "message": .string(words(outcome, id))]
        } catch let error as CatalogError {
            let answer = APIError(error)
            return [
                "event": "end", "status": .integer(Int64(answer.status.code)), "message": .string(answer.message),
                "code": .string(error.code.rawValue), "error": .string(error.description),
            ]
        } catch let error where !(error is CancellationError) {
            // The status of the answer is sent already: what went wrong is told in its last line.
            return ["event": "end", "status": 500, "message": .string("Internal error: \(error)")]
        }
    }

    private static func words(_ outcome: InstallOutcome, _ id: String) -> String {
        let version = outcome.plugins.last?.entry.version ?? ""
        return "Plugin \(id) v\(version) installed"
    }

    @Sendable
    private func uninstall(_ request: Request, _ context: APIContext) async throws -> Response {
        do {
            try await administration(context).uninstall(try context.parameter("id"))
        } catch let error as CatalogError {
            throw APIError(error)
        }
        return .message("Plugin uninstalled")
    }
}

extension APIError {
    /// The answer to a failed change of the plugins.
    ///
    /// - SeeAlso: Grafana, `pkg/api/plugins.go` and `pkg/plugins/repo/errors.go`.
    init(_ error: CatalogError) {
        let status: HTTPStatus =
            switch error.code {
            case .pluginNotFound, .versionNotFound, .machineNotSupported, .serverNotSupported, .notInstalled: .notFound
            case .versionNotSupported, .alreadyInstalled, .versionPinned, .downgradeRefused, .publisherChanged,
                .permissionsRefused, .serverRefused:
                .conflict
            case .corePlugin: .forbidden
            case .idInvalid: .badRequest
            case .checksumMismatch, .archiveMalformed, .archiveUnsafeName, .archiveDuplicateName, .archiveSpecialFile,
                .archiveTooLarge, .packageInvalid, .packageDiffers, .packageWrongMachine, .signatureRefused:
                .unprocessableContent
            case .catalogRefused: error.catalogStatus.map { HTTPStatus(code: $0) } ?? .badGateway
            case .folderBusy: .serviceUnavailable
            default: .internalServerError
            }
        self.init(status, error.code == .alreadyInstalled ? "Plugin already installed" : error.message)
        messageID = "plugin.\(error.code.rawValue)"
        extra["error"] = .string(error.description)
    }
}
