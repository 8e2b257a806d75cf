// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The built `grafana server` on a free port, with the demo data source; ended with ``stop()``.
final class RunningServer {
    let home: TemporaryHome
    let port: Int
    private let process: Process

    var url: String { "http://127.0.0.1:\(port)" }

    /// Returns when the server listens.
    init() throws {
        home = try TemporaryHome()
        process = Process()
        process.executableURL = try Program.url("grafana")
        process.arguments = [
            "server", "--homepath", home.path, "cfg:server.http_port=0", "cfg:server.http_addr=127.0.0.1",
            "cfg:log.mode=console",
        ]
        process.environment = ["PATH": "/usr/bin:/bin"]
        process.standardOutput = FileHandle.nullDevice
        let log = Pipe()
        process.standardError = log
        try process.run()
        var text = ""
        while true {
            let bytes = log.fileHandleForReading.availableData
            text += String(decoding: bytes, as: UTF8.self)
            let words = text.firstMatch(of: /HTTP server listens" address=[^ \n"]*:(\d+)/)
            if let number = words.flatMap({ Int($0.output.1) }) {
                port = number
                break
            }
            guard !bytes.isEmpty else {
                process.terminate()
                throw ServerEnded(log: text)
            }
        }
        // What is logged later must not fill the pipe.
        log.fileHandleForReading.readabilityHandler = { if $0.availableData.isEmpty { $0.readabilityHandler = nil } }
    }

    struct ServerEnded: Error {
        var log: String
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
