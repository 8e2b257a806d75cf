// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore
import PluginABI

extension Response {
    /// A JSON answer.
    static func json(_ value: JSONValue, status: HTTPStatus = .ok) -> Response {
        json(text: value.encoded(), status: status)
    }

    /// A JSON answer whose text is at hand.
    static func json(text: String, status: HTTPStatus = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=UTF-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// A JSON answer that the client may keep: 304 without a body when the client has it already.
    static func json(_ value: JSONValue, cachedFor request: Request) -> Response {
        let text = value.encoded()
        let tag = EntityTag(of: text.utf8)
        guard !tag.matches(request) else {
            return Response(status: .notModified, headers: [.eTag: tag.text, .cacheControl: "private, no-cache"])
        }
        var response = json(text: text)
        response.headers[.eTag] = tag.text
        response.headers[.cacheControl] = "private, no-cache"
        return response
    }

    /// `{"message": …}`.
    static func message(_ text: String, _ others: JSONObject = [:], status: HTTPStatus = .ok) -> Response {
        var object: JSONObject = ["message": .string(text)]
        for (key, value) in others { object[key] = value }
        return json(.object(object), status: status)
    }

    static func text(
        _ text: String, type: String = "text/plain; charset=utf-8", status: HTTPStatus = .ok
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func html(_ text: String, status: HTTPStatus = .ok) -> Response {
        var response = Response.text(text, type: "text/html; charset=utf-8", status: status)
        response.headers[.cacheControl] = "no-store"
        // The pages need no script at all, so that markup in a name or a message stays without effect.
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; "
            + "frame-ancestors 'none'; base-uri 'none'"
        return response
    }

    static func redirect(to location: String) -> Response {
        Response(status: .found, headers: [.location: location, .cacheControl: "no-store"])
    }
}

/// A weak entity tag: 64-bit FNV-1a of the content.
struct EntityTag: Sendable, Equatable {
    /// With quotes, and `W/` when it is a weak one.
    var text: String

    init(of bytes: some Sequence<UInt8>) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        text = "W/\"\(String(hash, radix: 16))\""
    }

    /// For a file: by its size and time of change.
    init(size: Int64, changed: Int64) {
        text = "W/\"\(String(size, radix: 16))-\(String(changed, radix: 16))\""
    }

    /// For content of which the SHA-256 is known: a strong one.
    init(sha256 digits: String) { text = "\"\(digits)\"" }

    /// Whether the request has this version, by `If-None-Match`.
    func matches(_ request: Request) -> Bool {
        guard let wanted = request.headers[.ifNoneMatch] else { return false }
        return wanted.split(separator: ",").contains { part in
            let tag = part.drop { $0 == " " }
            return tag == "*" || tag == text[...] || "W/" + tag == text || tag == "W/" + text
        }
    }
}
