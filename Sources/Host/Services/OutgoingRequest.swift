// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import CPluginABI
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import PluginABI

/// A plugin's request with the data source's address, credentials and TLS settings.
///
/// - SeeAlso: the settings that all HTTP data sources share, as in Grafana's `httpclient` of its plugin SDK.
struct OutgoingRequest {
    let request: AsyncHTTPClient.HTTPClient.Request
    /// The address, absolute.
    let url: String
    let timeout: Duration

    init(_ message: gf_http_request, _ source: DataSourceConfiguration?, defaults: HTTPDefaults) throws {
        url = try Self.resolve(String(message.url), against: source?.settings.url ?? "")
        let settings = source?.settings.jsonData ?? .object([:])
        var headers = NIOHTTP1.HTTPHeaders()
        for field in PluginABI.HTTPHeaders(message.headers, count: min(message.header_count, 1_000)) {
            try Self.check(field.name, field.value)
            headers.add(name: field.name, value: field.value)
        }
        if let source, message.flags & GF_HTTP_ANONYMOUS == 0,
            Self.origin(of: url) == Self.origin(of: source.settings.url)
        {
            try Self.addCredentials(of: source, to: &headers)
        }
        if !headers.contains(name: "User-Agent") { headers.add(name: "User-Agent", value: defaults.userAgent) }

        let body = [UInt8](message.body)
        do {
            request = try AsyncHTTPClient.HTTPClient.Request(
                url: url, method: HTTPMethod(rawValue: String(message.method)), headers: headers,
                body: body.isEmpty ? nil : .byteBuffer(ByteBuffer(bytes: body)),
                tlsConfiguration: try source.flatMap { try Self.tls(of: $0, settings) })
        } catch let error as HTTPClientError {
            throw PluginError(.invalid, "the URL '\(url)' cannot be used: \(error)", source: .user)
        }
        let configured = settings["timeout"]?.double ?? settings["timeout"]?.string.flatMap { Double($0) } ?? 0
        let standard = configured > 0 && configured < 1e9 ? Duration.seconds(configured) : defaults.timeout
        timeout = message.timeout > 0 ? .nanoseconds(message.timeout) : standard
    }

    /// Path and query, as the first line of a request has them.
    var target: String {
        let parts = url.prefix { $0 != "#" }.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        if parts.count > 3 { return "/\(parts[3])" }
        return parts.last?.firstIndex(of: "?").map { "/\(url[$0...])" } ?? "/"
    }

    /// Joins a path and query to the data source's URL, whose own query is kept; an absolute URL stays as it is.
    static func resolve(_ url: String, against base: String) throws -> String {
        // The client refuses what is neither http nor https, by its name.
        if url.prefixMatch(of: /[A-Za-z][A-Za-z0-9+.-]*:\/\//) != nil { return url }
        guard !base.isEmpty else {
            throw PluginError(.invalid, "the data source has no URL; enter one in its settings", source: .user)
        }
        let address = base.contains("://") ? base : "http://" + base
        let (path, query) = split(url)
        let (basePath, baseQuery) = split(address)
        let joined = basePath.hasSuffix("/") ? String(basePath) : "\(basePath)/"
        let relative = path.drop { $0 == "/" }
        let queries = [baseQuery, query].filter { !$0.isEmpty }.joined(separator: "&")
        let target = relative.isEmpty ? String(basePath) : joined + URLText.escaped(relative)
        return queries.isEmpty ? target : "\(target)?\(URLText.escaped(queries))"
    }

    /// Whether the request goes to the server that the data source names.
    func isOfSameOrigin(as source: DataSourceConfiguration) -> Bool {
        !source.settings.url.isEmpty && Self.origin(of: url) == Self.origin(of: source.settings.url)
    }

    /// Scheme, host and port of a URL as they are written; a plugin's own URL gets credentials for the same ones only.
    private static func origin(of url: String) -> String {
        let address = url.contains("://") ? url : "http://" + url
        // The scheme and the empty part between its slashes come first.
        return address.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3)
            .joined(separator: "/").prefix { $0 != "?" && $0 != "#" }.lowercased()
    }

    private static func split(_ url: String) -> (path: Substring, query: Substring) {
        guard let mark = url.firstIndex(of: "?") else { return (Substring(url), "") }
        return (url[..<mark], url[url.index(after: mark)...])
    }

    /// Refuses what could break out of a header line.
    private static func check(_ name: String, _ value: String) throws {
        let isClean = !name.isEmpty && (name + value).utf8.allSatisfy { $0 != 10 && $0 != 13 && $0 != 0 }
        guard isClean else {
            throw PluginError(.invalid, "the header '\(name)' holds a line break or has no name", source: .user)
        }
    }

    private static func addCredentials(
        of source: DataSourceConfiguration, to headers: inout NIOHTTP1.HTTPHeaders
    ) throws {
        if source.settings.basicAuthEnabled {
            let password = source.secrets["basicAuthPassword"] ?? ""
            let credentials = Base64.encode(Array("\(source.settings.basicAuthUser):\(password)".utf8))
            headers.replaceOrAdd(name: "Authorization", value: "Basic \(credentials)")
        }
        for number in 1...1_000 {
            guard let name = source.settings.jsonData["httpHeaderName\(number)"]?.string, !name.isEmpty else { break }
            guard let value = source.secrets["httpHeaderValue\(number)"] else { continue }
            try check(name, value)
            headers.replaceOrAdd(name: name, value: value)
        }
    }

    private static func secret(_ name: String, of source: DataSourceConfiguration, for setting: String) throws -> String
    {
        guard let pem = source.secrets[name], !pem.isEmpty else {
            throw PluginError(
                .invalid, "data source '\(source.settings.name)' has \(setting) and no \(name); enter it as PEM",
                source: .user)
        }
        return pem
    }

    private static func tls(of source: DataSourceConfiguration, _ settings: JSONValue) throws -> TLSConfiguration? {
        let hasClient = settings["tlsAuth"]?.bool ?? false
        let hasCA = settings["tlsAuthWithCACert"]?.bool ?? false
        let skips = settings["tlsSkipVerify"]?.bool ?? false
        guard hasClient || hasCA || skips else { return nil }
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if skips { tls.certificateVerification = .none }
            if hasCA {
                let pem = try secret("tlsCACert", of: source, for: "tlsAuthWithCACert")
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8)))
            }
            if hasClient {
                let pem = try secret("tlsClientCert", of: source, for: "tlsAuth")
                let key = try secret("tlsClientKey", of: source, for: "tlsAuth")
                let chain = try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8))
                tls.certificateChain = chain.map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
            }
        } catch let error as PluginError {
            throw error
        } catch {
            throw PluginError(
                .invalid,
                "a certificate or key of data source '\(source.settings.name)' cannot be read; enter it as PEM",
                source: .user)
        }
        return tls
    }
}

/// Base64 with padding, for credentials in headers.
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let second = start + 1 < bytes.count ? bytes[start + 1] : 0
            let third = start + 2 < bytes.count ? bytes[start + 2] : 0
            let group = UInt32(bytes[start]) << 16 | UInt32(second) << 8 | UInt32(third)
            text.append(alphabet[Int(group >> 18 & 63)])
            text.append(alphabet[Int(group >> 12 & 63)])
            text.append(start + 1 < bytes.count ? alphabet[Int(group >> 6 & 63)] : 61)
            text.append(start + 2 < bytes.count ? alphabet[Int(group & 63)] : 61)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
