// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import PluginHost
import Storage

/// The pages for people.
struct WebPages: Sendable {
    let services: ServerServices

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("/", use: status)
    }

    /// The status page; who is not signed in is asked to.
    @Sendable
    private func status(_ request: Request, _ context: APIContext) async throws -> Response {
        let options = services.options
        guard let identity = context.identity else { return .redirect(to: options.link("/login")) }
        let isAdmin = identity.role >= .admin || identity.isServerAdmin
        var sources = try await services.stores.dataSources.list(orgID: identity.orgID, limit: options.dataSourceLimit)
        if !isAdmin { for place in sources.indices { sources[place].fields.url = "" } }
        let page = StatusPage(
            userName: identity.user.map { $0.name.isEmpty ? $0.login : $0.name } ?? "",
            mustChangePassword: identity.user?.mustChangePassword ?? false, mayAdminister: isAdmin, sources: sources,
            plugins: services.platform.plugins, refusals: isAdmin ? services.platform.refusals : [],
            trustProblems: isAdmin ? services.trust.report.problems : [])
        return .html(page.html(options))
    }
}
