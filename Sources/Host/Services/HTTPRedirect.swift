// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import NIOHTTP1

/// Where a redirection may lead: to the same server only, so that credentials and custom headers never reach another.
enum HTTPRedirect {
    /// The most steps of one exchange.
    static let maxSteps = 5

    /// The request that follows the answer to `request`; nil when the answer is no redirection, or one that is not
    /// followed and that the plugin therefore sees.
    static func next(after head: HTTPResponseHead, to request: AsyncHTTPClient.HTTPClient.Request) -> AsyncHTTPClient
        .HTTPClient.Request?
    {
        guard [301, 302, 303, 307, 308].contains(head.status.code), let location = head.headers.first(name: "Location"),
            let target = resolve(location, against: request)
        else { return nil }
        let keepsMethod =
            head.status.code == 307 || head.status.code == 308 || request.method == .GET || request.method == .HEAD
        guard
            let next = try? AsyncHTTPClient.HTTPClient.Request(
                url: target, method: keepsMethod ? request.method : .GET, headers: request.headers,
                body: keepsMethod ? request.body : nil, tlsConfiguration: request.tlsConfiguration),
            next.host == request.host, isSameServer(next, request)
        else { return nil }
        return next
    }

    private static func resolve(_ location: String, against request: AsyncHTTPClient.HTTPClient.Request) -> String? {
        if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
        // A relative path says nothing that a server of data would need; an absolute one does.
        guard location.hasPrefix("/"), !location.hasPrefix("//") else { return nil }
        let host = request.host.contains(":") ? "[\(request.host)]" : request.host
        return "\(request.scheme)://\(host):\(request.port)\(location)"
    }

    /// The same port, or the step from plain HTTP to HTTPS.
    private static func isSameServer(
        _ next: AsyncHTTPClient.HTTPClient.Request, _ request: AsyncHTTPClient.HTTPClient.Request
    ) -> Bool {
        (next.scheme == request.scheme && next.port == request.port)
            || (request.scheme == "http" && next.scheme == "https")
    }
}
