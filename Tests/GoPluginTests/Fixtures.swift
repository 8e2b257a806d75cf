// SPDX-License-Identifier: Apache-2.0
import Foundation
import GoPlugin
import Synchronization

/// The recordings of a real plugin, beside the repository.
enum Fixtures {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let folder = root.appending(path: "../shared/fixtures/plugin").standardized
    static let frames = root.appending(path: "../shared/fixtures/frames").standardized

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: name))) }

    /// A recorded call.
    struct Call: Decodable, Sendable, CustomStringConvertible {
        var name: String
        var method: String
        var grpcCode: String
        var grpcMessage: String?
        var grpcDetails: [Detail]?
        var requestFile: String
        var responseFiles: [String]?

        struct Detail: Decodable, Sendable { var metadata: [String: String] }

        var description: String { name }
        var errorSource: String? { grpcDetails?.first?.metadata["errorSource"] }
        func responses() throws -> [[UInt8]] { try (responseFiles ?? []).map { try Fixtures.bytes($0) } }
    }

    static let calls: [Call] = load("index.json")

    /// A recorded start.
    struct Handshake: Decodable, Sendable, CustomStringConvertible {
        var name: String
        var stdoutFirstLine: String
        var stderr: [String]
        var exitCode: Int

        var description: String { name }
    }

    static let handshakes: [Handshake] = load("handshakes.json")

    private static func load<T: Decodable>(_ name: String) -> [T] {
        guard let data = try? Data(contentsOf: folder.appending(path: name)),
            let values = try? JSONDecoder().decode([T].self, from: data)
        else { fatalError("fixture \(name) is missing or broken") }
        return values
    }
}

/// Collects what a reader gets.
final class Collector: MessageReader {
    private struct State {
        var current: [UInt8] = []
        var messages: [[UInt8]] = []
    }
    private let state = Mutex(State())
    let pauses: Bool

    init(pauses: Bool = false) { self.pauses = pauses }

    var messages: [[UInt8]] { state.withLock { $0.messages } }
    func begin(length: Int) { state.withLock { $0.current = [] } }
    func append(_ bytes: UnsafeRawBufferPointer) { state.withLock { $0.current.append(contentsOf: bytes) } }

    func end() -> Bool {
        state.withLock { $0.messages.append($0.current) }
        return !pauses
    }

    func finished(_ failure: GRPCStatus?) {}
}
