// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Crypto
import Glibc
import NIOCore
import NIOHTTP1

/// Fetches one archive into a file, hashing on the way; a connection that breaks is taken up again where it ended.
struct Download {
    let client: WebClient
    let url: String
    let path: String
    /// Nil when nobody knows.
    let expectedHash: String?
    let expectedSize: UInt64?
    /// Only for requests below the catalogue's own address.
    let authorization: String?

    /// - SeeAlso: Grafana, `pkg/plugins/repo/client.go`.
    static let retries = 3
    static let largest: UInt64 = 4 << 30

    /// - Parameter progress: Gets the bytes that are here and, if known, those of the whole.
    /// - Returns: The SHA-256.
    /// - Throws: ``CatalogError`` `.downloadFailed`, `.checksumMismatch`, `.catalogRefused`.
    func run(progress: @Sendable (UInt64, UInt64?) -> Void) async throws -> String {
        var state = Received()
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CatalogError.system("make", path, errno) }
        defer { close(descriptor) }
        var attempt = 0
        while true {
            do {
                try await fetch(into: descriptor, &state, attempt: attempt, progress)
                return try check(state)
            } catch let error as CatalogError where !error.isWorthRetry {
                throw error
            } catch let error as CancellationError {
                throw error
            } catch {
                guard attempt < Self.retries else { throw (error as? CatalogError) ?? failed(error, state) }
                // What is here is wrong, not only too little.
                if (error as? CatalogError)?.code == .checksumMismatch { try state.restart(descriptor, path) }
            }
            try await Task.sleep(for: .milliseconds(100 << attempt))
            attempt += 1
        }
    }

    /// What has come so far.
    struct Received {
        var bytes: UInt64 = 0
        var sum = SHA256()
        /// The mark of the version that the bytes are of.
        var validator: String?

        mutating func restart(_ descriptor: Int32, _ path: String) throws {
            guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
                throw CatalogError.system("write", path, errno)
            }
            self = Received()
        }
    }

    private func fetch(
        into descriptor: Int32, _ state: inout Received, attempt: Int, _ progress: @Sendable (UInt64, UInt64?) -> Void
    ) async throws {
        var headers: [(name: String, value: String)] = [("Accept", "*/*")]
        if let authorization { headers.append(("Authorization", authorization)) }
        if attempt > 0 { headers.append(("grafana-retrycount", "\(attempt)")) }
        if state.bytes > 0 {
            headers.append(("Range", "bytes=\(state.bytes)-"))
            if let validator = state.validator { headers.append(("If-Range", validator)) }
        }
        // No deadline: a large archive over a slow line takes its time. The client gives up when nothing comes.
        let response = try await client.http.execute(client.request(url, headers), deadline: .distantFuture)
        let status = Int(response.status.code)
        guard status == 200 || status == 206 else { throw try await refused(response, status) }
        let isContinued = status == 206 && Self.start(response) == state.bytes
        if !isContinued, state.bytes > 0 { try state.restart(descriptor, path) }
        guard status == 200 || isContinued else { throw Interruption.wrongRange }
        state.validator = response.headers.first(name: "ETag").flatMap { $0.hasPrefix("W/") ? nil : $0 }
        let length = response.headers.first(name: "Content-Length").flatMap { UInt64($0) }
        let whole = expectedSize ?? length.map { min($0, Self.largest) + state.bytes }
        progress(state.bytes, whole)
        for try await part in response.body {
            try Task.checkCancellation()
            try part.withUnsafeReadableBytes { bytes in
                try FileOutput.write(bytes, to: descriptor, path: path)
                state.sum.update(bufferPointer: bytes)
            }
            state.bytes += UInt64(part.readableBytes)
            guard state.bytes <= expectedSize ?? Self.largest else {
                throw CatalogError(
                    .checksumMismatch,
                    "'\(shownURL)': it is larger than the \(expectedSize ?? Self.largest) bytes that it should have; tell "
                        + "the publisher")
            }
            progress(state.bytes, whole)
        }
        if let whole, state.bytes < whole { throw Interruption.endedEarly }
    }

    private enum Interruption: Error, CustomStringConvertible {
        case wrongRange
        case endedEarly

        var description: String {
            switch self {
            case .wrongRange: "the server sent another part than the one that was asked for"
            case .endedEarly: "the connection ended early"
            }
        }
    }

    /// The first byte of a partial answer.
    private static func start(_ response: HTTPClientResponse) -> UInt64? {
        guard let range = response.headers.first(name: "Content-Range"), range.hasPrefix("bytes ") else { return nil }
        return UInt64(range.dropFirst("bytes ".count).prefix { $0 != "-" })
    }

    private func refused(_ response: HTTPClientResponse, _ status: Int) async throws -> any Error {
        let words = try? await CatalogWords.message(in: response)
        let fact = words ?? "status \(status)"
        if status == 404 || status == 410 {
            return CatalogError(
                .downloadFailed, "'\(shownURL)': there is no such archive (\(fact)); correct the address",
                catalogStatus: 404)
        }
        if (400..<500).contains(status), status != 408, status != 416, status != 429 {
            return CatalogError(
                .catalogRefused, "'\(shownURL)': the download is refused: \(fact); see the address and the token",
                catalogStatus: status)
        }
        return CatalogError(
            .downloadFailed, "'\(shownURL)': the server has an error (\(fact)); try again later", catalogStatus: status)
    }

    private var shownURL: String { WebAddress.withoutSecrets(url) }

    private func failed(_ error: any Error, _ state: Received) -> CatalogError {
        CatalogError(
            .downloadFailed,
            "'\(shownURL)': the download broke off after \(state.bytes) bytes and \(Self.retries + 1) tries "
                + "(\(WebClient.words(error))); try again, or fetch the file by other means and install it")
    }

    private func check(_ state: Received) throws -> String {
        let hash = TreeHash.text(state.sum.finalize())
        if let expectedHash, hash != expectedHash.lowercased() {
            throw Self.mismatch(expected: expectedHash, url: shownURL, computed: hash)
        }
        return hash
    }

    /// - SeeAlso: Grafana, `pkg/plugins/repo/errors.go`.
    static func mismatch(expected: String, url: String, computed: String) -> CatalogError {
        CatalogError(
            .checksumMismatch,
            "expected SHA256 checksum (\(expected)) does not match the downloaded archive (\(url)) computed SHA256 "
                + "checksum (\(computed)) - please contact security@grafana.com")
    }
}

private enum CatalogWords {
    static func message(in response: HTTPClientResponse) async throws -> String? {
        let body = try await response.body.collect(upTo: 1 << 16)
        let text = String(decoding: body.readableBytesView, as: UTF8.self)
        return CatalogMessage.text(in: text)
    }
}

extension CatalogError {
    /// Whether the same request may go well the next time.
    fileprivate var isWorthRetry: Bool {
        switch code {
        case .checksumMismatch: true
        case .downloadFailed: catalogStatus != 404
        default: false
        }
    }
}
