// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import Synchronization

/// Plays the plugin's side of a recorded HTTP/2 connection: each recorded frame is sent as soon as the client has opened
/// the stream it belongs to.
///
/// Left out are answers to what only the recorded client asked: PINGs of its own and further SETTINGS.
final class ReplayServer: Sendable {
    struct Frame: Sendable {
        var type: UInt8
        var flags: UInt8
        var stream: Int
        var bytes: [UInt8]
    }

    let path: String
    /// What the client sent, in order.
    private let received = Mutex<[Frame]>([])

    var frames: [Frame] { received.withLock { $0 } }

    /// Listens on a socket in a folder and serves one client.
    init(_ recording: [UInt8], in folder: URL) throws {
        path = folder.appending(path: "replay.sock").path
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 1) == 0 else { throw CocoaError(.fileWriteUnknown) }
        let frames = Self.frames(in: recording)
        Thread.detachNewThread { [weak self] in
            let client = accept(listener, nil, nil)
            // Closed here: by another thread, and the number could be another socket's before `accept`.
            close(listener)
            guard client >= 0 else { return }
            self?.serve(client, frames)
            close(client)
        }
    }

    static func frames(in bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard rest.count >= 9 + length else { break }
            let stream = head[5...].reduce(0) { $0 << 8 | Int($1) } & 0x7fff_ffff
            frames.append(
                Frame(type: head[3], flags: head[4], stream: stream, bytes: Array(rest.prefix(9 + length))))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }

    private func serve(_ client: Int32, _ recorded: [Frame]) {
        let preface = read(client, 24) ?? []
        guard String(decoding: preface, as: UTF8.self).hasPrefix("PRI * HTTP/2.0") else { return }
        var settings = 0
        for frame in recorded {
            let isAnswer = frame.flags & 1 == 1 && (frame.type == 6 || frame.type == 4)
            if isAnswer, frame.type == 6 || settings > 0 { continue }
            if isAnswer { settings += 1 }
            while frame.stream > 0, !hasOpened(frame.stream) {
                guard let next = nextFrame(client) else { return }
                received.withLock { $0.append(next) }
            }
            guard write(client, frame.bytes) else { return }
        }
        // What the client answers to the last frames, until it leaves.
        while let next = nextFrame(client) { received.withLock { $0.append(next) } }
    }

    private func hasOpened(_ stream: Int) -> Bool {
        received.withLock { $0.contains { $0.stream == stream && $0.flags & 1 == 1 && $0.type == 0 } }
    }

    private func nextFrame(_ client: Int32) -> Frame? {
        guard let head = read(client, 9) else { return nil }
        let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        guard let body = length == 0 ? [] : read(client, length) else { return nil }
        return Self.frames(in: head + body).first
    }

    private func read(_ client: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let more = bytes.withUnsafeMutableBytes { recv(client, $0.baseAddress! + done, count - done, 0) }
            guard more > 0 else { return nil }
            done += more
        }
        return bytes
    }

    private func write(_ client: Int32, _ bytes: [UInt8]) -> Bool {
        send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }
}
