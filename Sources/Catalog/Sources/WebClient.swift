// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL

/// Requests to catalogues and to servers of archives.
struct WebClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]
    }

    let http: HTTPClient
    /// How long an answer may take, and how long a download may stand still.
    let patience: Duration
    /// On every request.
    let headers: [(name: String, value: String)]

    /// More than any catalogue's list takes.
    static let largestAnswer = 256 << 20

    /// Runs work with a client that is shut down afterwards.
    ///
    /// - Parameter verifiesTLS: False for `--insecure`.
    static func with<Value>(
        patience: Duration, verifiesTLS: Bool, headers: [(name: String, value: String)],
        _ work: (WebClient) async throws -> Value
    ) async throws -> Value {
        var tls = TLSConfiguration.makeClientConfiguration()
        if !verifiesTLS { tls.certificateVerification = .none }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .follow(max: 8, allowCycles: false))
        configuration.timeout.connect = .nanoseconds(patience.nanosecondCount)
        configuration.timeout.read = .nanoseconds(patience.nanosecondCount)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let client = WebClient(http: http, patience: patience, headers: headers)
        let outcome: Result<Value, any Error>
        do { outcome = .success(try await work(client)) } catch { outcome = .failure(error) }
        // The answer is here: a failure to close idle connections changes nothing.
        try? await http.shutdown()
        return try outcome.get()
    }

    /// A whole, small answer.
    ///
    /// - Parameter limit: The bytes that are read at most.
    /// - Throws: ``CatalogError`` `.catalogUnreachable`.
    func get(
        _ url: String, headers more: [(name: String, value: String)] = [], limit: Int = largestAnswer
    ) async throws -> Answer {
        do {
            let response = try await http.execute(request(url, more), timeout: .nanoseconds(patience.nanosecondCount))
            let body = try await response.body.collect(upTo: limit)
            return Answer(status: Int(response.status.code), body: Array(body.readableBytesView))
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Self.unreachable(url, error)
        }
    }

    func request(_ url: String, _ more: [(name: String, value: String)]) throws -> HTTPClientRequest {
        guard WebAddress.isValid(url) else {
            throw CatalogError(.catalogUnreachable, "'\(url)': it is no address; write http://, https:// or file://")
        }
        var request = HTTPClientRequest(url: url)
        for (name, value) in headers + more { request.headers.replaceOrAdd(name: name, value: value) }
        return request
    }

    static func unreachable(_ url: String, _ error: any Error) -> CatalogError {
        CatalogError(
            .catalogUnreachable,
            "'\(WebAddress.withoutSecrets(url))': it does not answer (\(words(error))); see whether it runs and this machine "
                + "may reach it, or install from a file")
    }

    static func words(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case let error as IOError: error.localizedDescription
        default: "\(error)"
        }
    }
}

/// The parts of addresses that matter here.
enum WebAddress {
    static func isWeb(_ text: String) -> Bool { text.hasPrefix("http://") || text.hasPrefix("https://") }

    static func isValid(_ text: String) -> Bool {
        isWeb(text) && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F }
    }

    /// The path of a `file://` address or of a plain path; nil for an address on the web.
    static func localPath(_ text: String) -> String? {
        if text.hasPrefix("file://") {
            let path = text.dropFirst("file://".count)
            return decoded(String(path.hasPrefix("localhost/") ? path.dropFirst("localhost".count) : path))
        }
        return text.contains("://") ? nil : text
    }

    /// Without the user and password, and without the query, which may hold a token.
    static func withoutSecrets(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        let path = rest.dropFirst(authority.count).prefix { $0 != "?" && $0 != "#" }
        return String(text[..<scheme.upperBound] + host + path)
    }

    static func join(_ base: String, _ path: String) -> String {
        (base.hasSuffix("/") ? base : base + "/") + path
    }

    /// A segment of a path; all but unreserved characters are escaped (RFC 3986, section 2.3).
    static func segment(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let isPlain =
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
                default: false
                }
            let digits = Array("0123456789ABCDEF")
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Duration {
    var nanosecondCount: Int64 {
        let (seconds, attoseconds) = components
        return Int64(clamping: seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue)
            &+ attoseconds / 1_000_000_000
    }
}
