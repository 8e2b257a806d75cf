// SPDX-License-Identifier: Apache-2.0
package import Foundation

/// A real server from a package of the system that listens on a loopback port for the length of a test.
package struct RealServer: Sendable {
    package let port: Int
    package let program: LeashedProgram

    /// Starts a program that is found in PATH.
    ///
    /// - Parameter log: The file that gets what the program prints.
    package init(_ program: String, _ arguments: [String], port: Int, log: URL) throws {
        self.port = port
        self.program = try LeashedProgram(program, arguments, log: log)
    }

    /// Kills the program and waits until it is gone.
    package func end() { program.end() }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// Polls a path until it answers 200 with a body that fits.
    ///
    /// - Throws: ``RealServerError`` with the last words of the program when it takes longer than `seconds`.
    package func wait(
        for path: String, seconds: Int = 30, until fits: ([UInt8]) -> Bool = { _ in true }
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if let answer = try? await get(path), answer.status == 200, fits(answer.body) { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        let words = program.lastWords
        throw RealServerError("\(url)\(path) did not become ready in \(seconds) s; the program says: \(words)")
    }

    package func get(_ path: String) async throws -> HTTPAnswer { try await send("GET", path, headers: [:], body: nil) }

    package func post(_ path: String, body: [UInt8], contentType: String = "text/plain") async throws -> HTTPAnswer {
        try await send("POST", path, headers: ["Content-Type": contentType], body: body)
    }

    /// One exchange on a connection and a thread of its own.
    private func send(
        _ method: String, _ path: String, headers: [String: String], body: [UInt8]?
    ) async throws -> HTTPAnswer {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        let request = LoopbackConnection.request(method, path, headers: headers, body: body)
                        return try LoopbackConnection(port: port).exchange(request)
                    })
            }
        }
    }
}
