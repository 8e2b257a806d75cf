// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird

/// All routes with their middlewares, in order.
struct RouteTable {
    let services: ServerServices

    var router: Router<APIContext> {
        let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: RequestScope(options: services.options, metrics: services.metrics))
        if services.options.enablesGzip { router.add(middleware: Compression()) }

        HealthAPI(services: services).addRoutes(to: router)
        PluginFileAPI(services: services).addRoutes(to: router)
        LoginAPI(services: services).addOpenRoutes(to: router)

        let visitors = router.group()
        visitors.add(middleware: Authentication(authenticator: services.authenticator, policy: .optional))
        LoginAPI(services: services).addRoutes(to: visitors)
        WebPages(services: services).addRoutes(to: visitors)

        let members = router.group()
        members.add(middleware: Authentication(authenticator: services.authenticator))
        LoginAPI(services: services).addSignedInRoutes(to: members)
        UserAPI(services: services).addRoutes(to: members)
        DataSourceAPI(services: services).addRoutes(to: members)
        ResourceAPI(services: services).addRoutes(to: members)
        ProxyAPI(services: services).addRoutes(to: members)
        QueryAPI(services: services).addRoutes(to: members)
        PluginAPI(services: services).addRoutes(to: members)
        PluginInstallAPI(services: services).addRoutes(to: members)
        PluginTrustAPI(services: services).addRoutes(to: members)
        SettingsAPI(services: services).addRoutes(to: members)
        LiveAPI(services: services).addRoutes(to: members)
        return router
    }
}

/// Lets the whole tree also answer below the path of `root_url`, with `[server] serve_from_sub_path`.
struct SubPathResponder<Inner: HTTPResponder>: HTTPResponder where Inner.Context == APIContext {
    let inner: Inner
    let options: ServerOptions

    func respond(to request: Request, context: APIContext) async throws -> Response {
        guard options.servesFromSubPath, !options.subPath.isEmpty, let target = request.head.path,
            let rest = Self.removing(options.subPath, from: target)
        else { return try await inner.respond(to: request, context: context) }
        var head = request.head
        head.path = rest
        return try await inner.respond(to: Request(head: head, body: request.body), context: context)
    }

    /// The target below the prefix; nil when it is not below.
    static func removing(_ prefix: String, from target: String) -> String? {
        guard target.hasPrefix(prefix) else { return nil }
        let rest = target.dropFirst(prefix.count)
        if rest.isEmpty { return "/" }
        if rest.first == "?" { return "/" + rest }
        return rest.first == "/" ? String(rest) : nil
    }
}
