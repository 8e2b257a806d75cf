// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Catalog
import NIOCore
import NIOHTTP1
import PluginABI
import Server

/// Requests to a running server.
struct APIClient: Sendable {
    /// An answer with its body.
    struct Answer: Sendable {
        var status: Int
        var body: [UInt8]

        /// The API's own words about a failure; nil when there are none.
        var message: String? {
            guard let value = try? JSONValue(parsing: body) else { return nil }
            return value["message"]?.string ?? value["error"]?.string
        }
    }

    /// Without a slash at the end.
    let url: String
    let authorization: String?
    let timeout: TimeAmount
    let http: AsyncHTTPClient.HTTPClient

    /// More than this of an answer is not read.
    private static let largestBody = 1 << 30

    /// Runs work with a client, which is shut down afterwards.
    ///
    /// - Throws: ``CommandFailure`` `.usage` for a URL that is none, and what the work throws.
    static func with<Value>(
        url: String, authorization: String? = nil, timeout: TimeAmount, _ work: (APIClient) async throws -> Value
    ) async throws -> Value {
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("@"),
            url.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7F })
        else {
            throw CommandFailure(
                .usage, "--url '\(url)': it is no address of a server; write http://HOST:PORT, and the user in --user")
        }
        var configuration = AsyncHTTPClient.HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .milliseconds(min(timeout.milliseconds, 10_000))
        let http = AsyncHTTPClient.HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        var base = url[...]
        while base.last == "/" { base = base.dropLast() }
        let client = APIClient(url: String(base), authorization: authorization, timeout: timeout, http: http)
        let outcome: Result<Value, any Error>
        do { outcome = .success(try await work(client)) } catch { outcome = .failure(error) }
        // The answer is here: a failure to close idle connections changes nothing.
        try? await http.shutdown()
        return try outcome.get()
    }

    /// Asks for a path, which starts with a slash.
    func get(_ path: String) async throws -> Answer { try await send(HTTPClientRequest(url: url + path)) }

    /// Deletes what a path names.
    func delete(_ path: String) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = .DELETE
        return try await send(request)
    }

    /// Posts JSON.
    func post(_ path: String, _ body: JSONValue) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: body.encoded()))
        return try await send(request)
    }

    /// Posts JSON to a call that may tell its progress: each line of JSON is handed over as it comes.
    ///
    /// - Returns: The answer without a body when lines came, else the whole answer.
    func post(
        _ path: String, _ body: JSONValue, line: @escaping @Sendable (JSONValue) throws -> Void
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "Accept", value: Self.lines)
        request.body = .bytes(ByteBuffer(string: body.encoded()))
        return try await send(request, line: line)
    }

    private static let lines = "application/x-ndjson"

    private static func read(
        _ body: HTTPClientResponse.Body, line: @Sendable (JSONValue) throws -> Void
    ) async throws {
        var rest: [UInt8] = []
        for try await part in body {
            rest += part.readableBytesView
            while let end = rest.firstIndex(of: 0x0A) {
                if let value = try? JSONValue(parsing: rest[..<end]) { try line(value) }
                rest.removeSubrange(...end)
            }
        }
    }

    private func send(
        _ request: HTTPClientRequest, line: (@Sendable (JSONValue) throws -> Void)? = nil
    ) async throws -> Answer {
        var request = request
        if line == nil { request.headers.add(name: "Accept", value: "application/json") }
        request.headers.add(name: "User-Agent", value: "grafana-cli/\(ServerOptions.announcedVersion)")
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        do {
            // Work that tells its progress may take as long as it likes.
            let response =
                line == nil
                ? try await http.execute(request, timeout: .milliseconds(timeout.milliseconds))
                : try await http.execute(request, deadline: .distantFuture)
            if let line, response.headers.first(name: "Content-Type") == Self.lines {
                try await Self.read(response.body, line: line)
                return Answer(status: Int(response.status.code), body: [])
            }
            let body = try await response.body.collect(upTo: Self.largestBody)
            return Answer(status: Int(response.status.code), body: Array(buffer: body))
        } catch is NIOTooManyBytesError {
            throw CommandFailure(
                .badData, "'\(url)': the answer is larger than 1 GiB; ask for fewer points or a shorter time")
        } catch let error as HTTPClientError where Self.timeouts.contains(error) {
            throw CommandFailure(
                .tryAgain, "'\(url)': no answer within \(timeout.text); try again, or give more time with --timeout")
        } catch is CancellationError {
            throw CancellationError()
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(
                .unavailable, "'\(url)': no server answers (\(error)); start the server, or correct --url")
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .deadlineExceeded, .readTimeout, .connectTimeout, .writeTimeout, .tlsHandshakeTimeout,
    ]
}

extension APIClient.Answer {
    /// The failure of a change of the plugins, as it ends the same command without a server; nil for another failure.
    private var catalogFailure: CommandFailure? {
        guard let value = try? JSONValue(parsing: body), let words = value["error"]?.string,
            let code = value["code"]?.string ?? value["messageId"]?.string?.dropPrefix("plugin."),
            words.hasSuffix("[\(code)]")
        else { return nil }
        return CommandFailure(CommandFailure.status(of: CatalogError.Code(rawValue: code)), words)
    }

    /// The failure that an answer stands for; nil for one of the 200s.
    ///
    /// - Parameter subject: What was asked for.
    func failure(_ subject: String) -> CommandFailure? {
        guard !(200..<300).contains(status) else { return nil }
        if let refusal = catalogFailure { return refusal }
        let words = message.map { ": \($0)" } ?? ""
        let fact = "\(subject): the server answers \(status)\(words)"
        switch status {
        case 401:
            return CommandFailure(
                .refused, "\(fact); give --user NAME with the password in GRAFANA_PASSWORD, or a token in GRAFANA_TOKEN"
            )
        case 403: return CommandFailure(.refused, "\(fact); ask an administrator for the right, or use another user")
        case 300..<400: return CommandFailure(.usage, "\(fact); give the address that it redirects to as --url")
        case 429, 503, 504: return CommandFailure(.tryAgain, "\(fact); try again later")
        case 500...: return CommandFailure(.unavailable, "\(fact); see the server's log")
        default: return CommandFailure(.badData, "\(fact); correct what you asked for")
        }
    }
}

extension String {
    /// What follows a prefix; nil without it.
    func dropPrefix(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
