// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI

extension Request {
    /// The whole body.
    ///
    /// - Throws: ``APIError/payloadTooLarge`` past `limit` bytes, before reading them when the length is announced.
    func collect(upTo limit: Int) async throws -> ByteBuffer {
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit { throw APIError.payloadTooLarge }
        var whole = ByteBuffer()
        for try await part in body {
            guard whole.readableBytes + part.readableBytes <= limit else { throw APIError.payloadTooLarge }
            if whole.readableBytes == 0 { whole = part } else { whole.writeImmutableBuffer(part) }
        }
        return whole
    }

    /// The body as a JSON object; an empty body is an empty object.
    ///
    /// - Throws: ``APIError/badRequestData`` when it is anything else.
    func collectObject(upTo limit: Int) async throws -> JSONObject {
        let body = try await collect(upTo: limit)
        guard body.readableBytes > 0 else { return [:] }
        guard let object = try? JSONValue(parsing: Array(body.readableBytesView)).object else {
            throw APIError.badRequestData
        }
        return object
    }

    /// The value of a query parameter, percent-decoded.
    func query(_ name: String) -> String? {
        uri.queryParameters[name[...]].map { String($0) }
    }

    /// The path as the client sent it, without the query, percent escapes kept.
    var rawPath: String {
        let target = head.path ?? "/"
        return String(target.prefix { $0 != "?" && $0 != "#" })
    }

    /// What follows the first `?`, or empty.
    var rawQuery: String {
        guard let mark = (head.path ?? "").firstIndex(of: "?") else { return "" }
        return String((head.path ?? "")[mark...].dropFirst())
    }

    /// The raw path after its first `count` parts, without a leading slash: of `/api/a/b/c` and 2, `b/c`.
    func rawPath(afterParts count: Int) -> String {
        var rest = rawPath[...]
        for _ in 0..<count {
            rest = rest.drop { $0 == "/" }
            rest = rest.drop { $0 != "/" }
        }
        return String(rest.drop { $0 == "/" })
    }

    /// Whether the client wants a page rather than data.
    var prefersHTML: Bool {
        headers[.accept]?.contains("text/html") ?? false
    }
}
