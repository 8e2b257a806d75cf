// SPDX-License-Identifier: Apache-2.0
import Glibc
import Signing
import Synchronization

/// A plugin's files, with a line on the terminal that says how many are read.
struct ProgressContent<Files: PluginContent>: PluginContent {
    let files: Files
    let line: ProgressLine

    var paths: [String] { files.paths }

    func bytes(of path: String, limit: Int) throws(SigningError) -> [UInt8] {
        try files.bytes(of: path, limit: limit)
    }

    func digest(of path: String) throws(SigningError) -> FileDigest {
        defer { line.advance() }
        return try files.digest(of: path)
    }
}

/// A bar on standard error when that is a terminal; nothing otherwise.
final class ProgressLine: Sendable {
    private struct State {
        var count = 0
        var drawn: ContinuousClock.Instant?
    }

    private let total: Int
    private let start = ContinuousClock.now
    private let isShown: Bool
    private let state = Mutex(State())

    /// So often is the line drawn again.
    private static let interval = Duration.milliseconds(100)
    /// Characters between the brackets.
    private static let width = 30

    init(total: Int) {
        self.total = max(1, total)
        isShown = isatty(STDERR_FILENO) == 1 && Terminal.variable("TERM") != "dumb"
    }

    /// One file more.
    func advance() {
        guard isShown else { return }
        state.withLock { state in
            state.count += 1
            let now = ContinuousClock.now
            // What is done in no time needs no bar.
            guard now - (state.drawn ?? start) >= Self.interval else { return }
            state.drawn = now
            Terminal.writeError("\r" + Self.text(count: state.count, total: total))
        }
    }

    /// Removes the line.
    func end() {
        state.withLock { state in
            if state.drawn != nil { Terminal.writeError("\r\u{1B}[K") }
            state.drawn = nil
        }
    }

    /// The bar as text: `[#####          ]  33 %  3300 of 10000 files`.
    static func text(count: Int, total: Int) -> String {
        let done = min(width, width * count / total)
        let bar = String(repeating: "#", count: done) + String(repeating: " ", count: width - done)
        let percent = TerminalText.padded(String(min(100, 100 * count / total)), to: 3, atEnd: true)
        return "[\(bar)] \(percent) %  \(count) of \(total) files"
    }
}
