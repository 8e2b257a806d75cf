// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import PluginABI
import PluginHost
import Storage
import Synchronization

/// Whether the server is ready, and whether its database answers.
final class HealthState: Sendable {
    private struct Check {
        var isHealthy: Bool
        var until: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(5)
    private let hasBegun = Atomic<Bool>(false)
    private let isEnding = Atomic<Bool>(false)
    private let lastCheck = Mutex<Check?>(nil)

    var isReady: Bool { hasBegun.load(ordering: .relaxed) && !isEnding.load(ordering: .relaxed) }

    /// The server is ready, unless it ends already.
    func begin() { hasBegun.store(true, ordering: .relaxed) }

    /// The server takes no new work.
    func end() { isEnding.store(true, ordering: .relaxed) }

    /// Asks the database; the verdict holds for five seconds.
    func isDatabaseHealthy(_ database: Database) async -> Bool {
        let now = ContinuousClock.now
        if let check = lastCheck.withLock({ $0 }), check.until > now { return check.isHealthy }
        let isHealthy = (try? await database.checkHealth()) != nil
        lastCheck.withLock { $0 = Check(isHealthy: isHealthy, until: now + Self.lifetime) }
        return isHealthy
    }
}

/// Health, readiness and metrics: what load balancers and monitoring ask for.
struct HealthAPI: Sendable {
    let services: ServerServices

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("api/health", use: health)
        router.get("healthz") { _, _ in Response.text("Ok") }
        router.get("livez") { _, _ in Response.text("Ok") }
        router.get("readyz", use: ready)
        router.get("metrics", use: metrics)
        router.get("metrics/plugins/:id", use: pluginMetrics)
    }

    @Sendable
    private func health(_ request: Request, _ context: APIContext) async throws -> Response {
        let isHealthy = await services.health.isDatabaseHealthy(services.stores.database)
        var object: JSONObject = ["database": isHealthy ? "ok" : "failing"]
        if services.options.anonymous?.hidesVersion != true {
            object["commit"] = .string(services.options.commit)
            object["version"] = .string(ServerOptions.announcedVersion)
        }
        return .json(.object(object), status: isHealthy ? .ok : .serviceUnavailable)
    }

    @Sendable
    private func ready(_ request: Request, _ context: APIContext) -> Response {
        services.health.isReady ? .text("Ok") : .text("Not ready", status: .serviceUnavailable)
    }

    @Sendable
    private func metrics(_ request: Request, _ context: APIContext) async throws -> Response {
        try checkAccess(request)
        var text = ""
        let options = services.options
        text += "# HELP grafana_build_info The program that runs.\n# TYPE grafana_build_info gauge\n"
        text += "grafana_build_info{version=\"\(ServerOptions.announcedVersion)\",revision=\""
        text += "\(PrometheusText.escaped(options.commit))\",branch=\"\",edition=\"oss\"} 1\n"
        text += "# TYPE grafana_instance_start_total counter\ngrafana_instance_start_total 1\n"
        services.metrics.write(into: &text)
        text += "# HELP grafana_http_connections Open connections of clients.\n# TYPE grafana_http_connections gauge\n"
        text += "grafana_http_connections \(services.connections.count)\n"
        try await writeTotals(into: &text)
        services.platform.writeMetrics(into: &text)
        return .text(text, type: "text/plain; version=0.0.4; charset=utf-8")
    }

    private func writeTotals(into text: inout String) async throws {
        var counts: [String: Int] = [:]
        let orgs = try await services.stores.orgs.list()
        for org in orgs {
            for source in try await services.stores.dataSources.list(orgID: org.id) {
                counts[source.fields.type, default: 0] += 1
            }
        }
        text += "# HELP grafana_stat_totals_datasource Data sources by plugin.\n"
        text += "# TYPE grafana_stat_totals_datasource gauge\n"
        for (type, count) in counts.sorted(by: { $0.key < $1.key }) {
            text += "grafana_stat_totals_datasource{plugin_id=\"\(PrometheusText.escaped(type))\"} \(count)\n"
        }
        text += "# TYPE grafana_stat_total_users gauge\n"
        text += "grafana_stat_total_users \(try await services.stores.users.count())\n"
        text += "# TYPE grafana_stat_total_orgs gauge\ngrafana_stat_total_orgs \(orgs.count)\n"
    }

    @Sendable
    private func pluginMetrics(_ request: Request, _ context: APIContext) throws -> Response {
        try checkAccess(request)
        guard let text = services.platform.metricsText(pluginID: try context.parameter("id")) else {
            throw APIError(.notFound, "Plugin not registered", messageID: "plugin.notRegistered")
        }
        return .text(text, type: "text/plain; version=0.0.4; charset=utf-8")
    }

    /// `[metrics]`: off is 404, and a user and password may be asked for.
    private func checkAccess(_ request: Request) throws {
        let options = services.options
        guard options.areMetricsEnabled else { throw APIError.notFound }
        guard !options.metricsUser.isEmpty || !options.metricsPassword.clearText.isEmpty else { return }
        let pair = "\(options.metricsUser):\(options.metricsPassword.clearText)"
        let wanted = Secret("Basic " + Data(pair.utf8).base64EncodedString())
        guard Secret(request.headers[.authorization] ?? "") == wanted else {
            var error = APIError.unauthorized
            error.headers[.wwwAuthenticate] = "Basic realm=\"metrics\""
            throw error
        }
    }
}
