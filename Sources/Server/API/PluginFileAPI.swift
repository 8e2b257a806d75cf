// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import HTTPTypes
import Hummingbird
import Logging
import NIOPosix
import PluginHost
import Signing

/// `GET /public/plugins/:id/*`: the files of plugins.
///
/// Only files that the plugin's list has are there; a path cannot climb, neither by `..` nor by a symlink. What runs on
/// the server is not there either. A file of a signed plugin is compared with its signature while it is read, and what
/// was compared is what is sent.
struct PluginFileAPI: Sendable {
    let services: ServerServices
    private let files = FileIO()

    init(services: ServerServices) {
        self.services = services
    }

    func addRoutes(to router: some RouterMethods<APIContext>) {
        router.get("public/plugins/:id/**", use: file)
        router.head("public/plugins/:id/**", use: file)
    }

    @Sendable
    private func file(_ request: Request, _ context: APIContext) async throws -> Response {
        let missing = APIError(.notFound, "Plugin file not found")
        guard let plugin = services.platform.plugin(id: try context.parameter("id")), !plugin.folder.isEmpty else {
            throw missing
        }
        guard let path = request.rawPath(afterParts: 3).removingPercentEscapes, !path.utf8.contains(0),
            let place = plugin.files.location(of: path)
        else { throw missing }
        let binaries = PluginBinaries(
            library: plugin.descriptor.library ?? "", executable: plugin.descriptor.executable)
        guard !binaries.contain(place, in: plugin.files.root) else { throw missing }
        if plugin.files.signed != nil { return try await signedFile(path, of: plugin, request, context) }
        guard let size = Self.size(of: place),
            let changed = try? FileManager.default.attributesOfItem(atPath: place)[.modificationDate] as? Date
        else { throw missing }
        let tag = EntityTag(size: size, changed: Int64(changed.timeIntervalSince1970 * 1e6) &* 1000)
        guard !tag.matches(request) else { return Response(status: .notModified, headers: headers(tag)) }
        var headers = headers(tag, type: Self.type(of: path))
        guard request.method != .head else {
            headers[.contentLength] = String(size)
            return Response(status: .ok, headers: headers)
        }
        let body = try await files.loadFile(path: place, context: context)
        return Response(status: .ok, headers: headers, body: body)
    }

    /// nil when the file cannot be read.
    private static func size(of place: String) -> Int64? {
        let file = open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let size = lseek(file, 0, SEEK_END)
        return size < 0 ? nil : Int64(size)
    }

    /// The tag is the digest that was signed, so that a browser which has the file is answered without reading it.
    private func signedFile(
        _ path: String, of plugin: PluginInfo, _ request: Request, _ context: APIContext
    ) async throws -> Response {
        let verified = services.verifiedFiles
        if let tag = plugin.files.signedDigest(of: path).map({ EntityTag(sha256: $0.hexadecimal) }),
            tag.matches(request)
        {
            return Response(status: .notModified, headers: headers(tag))
        }
        let image: SealedImage?
        do {
            image = try await NIOThreadPool.singleton.runIfActive { try verified.image(of: path, in: plugin) }
        } catch let refusal as PluginRefusal {
            context.logger.error(
                "Plugin file not served",
                metadata: ["plugin.id": "\(plugin.id)", "code": "\(refusal.code)", "reason": "\(refusal)"])
            throw APIError(
                .internalServerError, refusal.grafanaMessage, messageID: "plugin.\(refusal.code.rawValue)")
        } catch is FileError {
            image = nil
        }
        guard let image else { throw APIError(.notFound, "Plugin file not found") }
        var headers = headers(EntityTag(sha256: image.digest.hexadecimal), type: Self.type(of: path))
        headers[.contentLength] = String(image.size)
        guard request.method != .head else { return Response(status: .ok, headers: headers) }
        return Response(status: .ok, headers: headers, body: Self.body(of: image))
    }

    private func headers(_ tag: EntityTag, type: String? = nil) -> HTTPFields {
        var headers: HTTPFields = [
            .eTag: tag.text,
            .cacheControl: services.options.isDevelopment
                ? "max-age=0, must-revalidate, no-cache" : "public, max-age=3600",
        ]
        guard let type else { return headers }
        headers[.contentType] = type
        // Files come from plugins: a browser that opens one shows it without a script of ours being within reach.
        headers[.contentSecurityPolicy] = "sandbox"
        return headers
    }

    /// Sends a sealed file in parts, and keeps it until the last.
    private static func body(of image: SealedImage) -> ResponseBody {
        ResponseBody(contentLength: image.size) { writer in
            var offset = 0
            while offset < image.size {
                var part = ByteBufferAllocator().buffer(capacity: min(128 * 1024, image.size - offset))
                let count = try part.writeWithUnsafeMutableBytes(minimumWritableBytes: part.capacity) {
                    try image.read(at: offset, into: $0)
                }
                guard count > 0 else { break }
                offset += count
                try await writer.write(part)
            }
            try await writer.finish(nil)
        }
    }

    private static func type(of path: String) -> String {
        let known = [
            "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
            "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8", "json": "application/json",
            "map": "application/json", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
            "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2",
            "txt": "text/plain; charset=utf-8", "md": "text/plain; charset=utf-8", "wasm": "application/wasm",
        ]
        guard let dot = path.lastIndex(of: ".") else { return "application/octet-stream" }
        return known[path[path.index(after: dot)...].lowercased()] ?? "application/octet-stream"
    }
}
