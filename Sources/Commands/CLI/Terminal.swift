// SPDX-License-Identifier: Apache-2.0
// For `stderr`, a variable that only silenceLibraries() changes.
@preconcurrency import Glibc

/// Standard output and standard error, and what a terminal behind them can show.
struct Terminal: Sendable {
    /// Columns.
    var width: Int
    /// Whether escape sequences for colours may be written.
    var usesColor: Bool

    /// The width of a chart in a file or pipe.
    static let defaultWidth = 100

    /// What standard output is.
    ///
    /// - Parameter wantsColor: False for `--no-color`; `NO_COLOR` and `TERM=dumb` say the same.
    static func output(wantsColor: Bool = true) -> Terminal {
        guard isatty(STDOUT_FILENO) == 1 else { return Terminal(width: defaultWidth, usesColor: false) }
        let isPlain = !(variable("NO_COLOR") ?? "").isEmpty || variable("TERM") == "dumb"
        return Terminal(width: columns() ?? defaultWidth, usesColor: wantsColor && !isPlain)
    }

    /// The value of an environment variable.
    static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Writes a part of the result.
    ///
    /// - Throws: ``CommandFailure`` `.inputOutput`. When the reader has closed the pipe, as `head` does, the process ends.
    static func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }

    /// Writes bytes of the result; see ``write(_:)-(String)``.
    static func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(STDOUT_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE {
                exit(0)
            } else if errno != EINTR {
                throw CommandFailure(
                    .inputOutput,
                    "standard output: \(systemMessage(errno)); make room or write to another place")
            }
        }
    }

    /// Writes a line `KIND: message` to standard error.
    static func report(_ kind: String, _ message: String) {
        writeError("\(kind): \(TerminalText.lines(message))\n")
    }

    /// Writes to standard error, as it is; nothing is left to do when that fails.
    static func writeError(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)[...]
            while !rest.isEmpty {
                let count = Glibc.write(STDERR_FILENO, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno != EINTR { return }
                rest = rest.dropFirst(max(count, 0))
            }
        }
    }

    /// Sends to nowhere what C libraries print to standard error on their own, as Debian's librnp does about each bad
    /// signature; our own messages do not go through C's streams.
    static func silenceLibraries() {
        if let nowhere = fopen("/dev/null", "w") { stderr = nowhere }
    }

    /// The words of an `errno`.
    static func systemMessage(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "errno \(code)"
    }

    private static func columns() -> Int? {
        if let text = variable("COLUMNS"), let count = Int(text), (20...1000).contains(count) { return count }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col >= 20 else { return nil }
        return Int(size.ws_col)
    }
}
