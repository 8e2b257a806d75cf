// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import NIOCore

/// Compresses answers with gzip for clients that accept it; `[server] enable_gzip`.
///
/// Left as they are: answers of at most 1 KiB, event streams, pictures and archives, and what a plugin or an upstream
/// server encoded already.
struct Compression: RouterMiddleware {
    private static let smallest = 1024

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        guard Self.isCompressible(response) else { return response }
        response.headers.append(HTTPField(name: .vary, value: "Accept-Encoding"))
        guard Self.acceptsGzip(request.headers[.acceptEncoding] ?? ""), request.method != .head else { return response }
        let body = response.body
        response.body = ResponseBody { writer in
            try await body.write(GzipWriter(parent: writer))
        }
        response.headers[.contentLength] = nil
        response.headers[.contentEncoding] = "gzip"
        return response
    }

    private static func isCompressible(_ response: Response) -> Bool {
        if let length = response.body.contentLength, length <= smallest { return false }
        guard response.headers[.contentEncoding] == nil, response.status.code >= 200, response.status != .noContent,
            response.status != .notModified, response.status != .partialContent
        else { return false }
        let type = response.headers[.contentType] ?? ""
        if type.hasPrefix("text/event-stream") { return false }
        return type.hasPrefix("text/") || ["json", "javascript", "xml", "svg", "arrow"].contains(where: type.contains)
    }

    /// Whether `Accept-Encoding` names gzip (or `*`) with another weight than 0.
    static func acceptsGzip(_ header: String) -> Bool {
        header.lowercased().split(separator: ",").contains { part in
            let pieces = part.split(separator: ";").map { $0.filter { $0 != " " } }
            guard let name = pieces.first, name == "gzip" || name == "*" || name == "x-gzip" else { return false }
            return !pieces.dropFirst().contains { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
        }
    }
}

/// Encodes what is written to it.
private struct GzipWriter: ResponseBodyWriter {
    var parent: any ResponseBodyWriter
    let stream = GzipStream()

    mutating func write(_ buffer: ByteBuffer) async throws {
        let encoded = stream.encode(buffer)
        if encoded.readableBytes > 0 { try await parent.write(encoded) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        var parent = parent
        try await parent.write(stream.finish())
        try await parent.finish(trailingHeaders)
    }
}
