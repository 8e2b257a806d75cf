// SPDX-License-Identifier: Apache-2.0
import Hummingbird
import Logging
import NIOCore

/// The peer of our whole HTTP stack: hummingbird with one route that answers a fixed JSON text.
///
/// Usage: `bench-bare-http PORT BYTES`, the length of the answer's body.
@main
enum Program {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard arguments.count == 2 else { fatalError("usage: bench-bare-http PORT BYTES") }
        let body = ByteBuffer(string: "{\"text\":\"" + String(repeating: "x", count: max(0, arguments[1] - 11)) + "\"}")
        let router = Router()
        router.get("api/user") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
        }
        var logger = Logger(label: "bare")
        logger.logLevel = .warning
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: arguments[0])), logger: logger)
        try await application.runService()
    }
}
