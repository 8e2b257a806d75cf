// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Asks for a password at the terminal, without showing what is typed.
enum PasswordPrompt {
    /// Longer passwords are a mistake, such as a file on the wrong input.
    static let longest = 1024

    /// Whether somebody sits at standard input.
    static var isPossible: Bool { isatty(STDIN_FILENO) == 1 }

    /// Asks once.
    ///
    /// - Throws: ``CommandFailure`` `.interrupted` for Ctrl-C, `.inputOutput` when the input ends.
    static func read(_ prompt: String) throws -> String {
        Terminal.writeError(prompt)
        defer { Terminal.writeError("\n") }
        return try withoutEcho { try LineInput.line(at: { readByte() }, limit: longest) }
    }

    /// Asks twice.
    ///
    /// - Throws: As ``read(_:)``, and ``CommandFailure`` `.usage` when the two differ.
    static func readNew(_ prompt: String) throws -> String {
        let first = try read(prompt)
        guard try read("The same again: ") == first else {
            throw CommandFailure(.usage, "password: the two are not the same; nothing was changed, try again")
        }
        return first
    }

    /// The first line of standard input.
    static func readFromStandardInput() throws -> String {
        try LineInput.line(at: { readByte() }, limit: longest, isTerminal: false)
    }

    private static func readByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = Glibc.read(STDIN_FILENO, &byte, 1)
            if count == 1 { return byte }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    /// Ctrl-C comes as a byte, so that no signal can end the process while the terminal is silent.
    private static func withoutEcho<Value>(_ body: () throws -> Value) throws -> Value {
        var former = termios()
        guard tcgetattr(STDIN_FILENO, &former) == 0 else {
            throw CommandFailure(
                .inputOutput, "terminal: its echo cannot be switched off; use --password-from-stdin")
        }
        var silent = former
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &former) }
        return try body()
    }
}

/// A line that is typed byte by byte.
enum LineInput {
    private static let interrupt: UInt8 = 0x03
    private static let endOfInput: UInt8 = 0x04
    private static let backspaces: Set<UInt8> = [0x08, 0x7F]
    private static let eraseLine: UInt8 = 0x15

    /// Reads up to the end of the line.
    ///
    /// - Parameters:
    ///   - next: The next byte, nil at the end of the input.
    ///   - isTerminal: Whether keys such as backspace have their meaning.
    /// - Throws: ``CommandFailure``: `.interrupted`, `.inputOutput` for an input that is empty, `.usage` for one that is
    ///   too long or not UTF-8.
    static func line(at next: () -> UInt8?, limit: Int, isTerminal: Bool = true) throws -> String {
        var bytes: [UInt8] = []
        while let byte = next(), byte != UInt8(ascii: "\n") {
            if isTerminal {
                if byte == UInt8(ascii: "\r") { break }
                if byte == interrupt { throw CommandFailure(.interrupted, "interrupted; nothing was changed") }
                if byte == endOfInput { break }
                if backspaces.contains(byte) {
                    removeCharacter(from: &bytes)
                    continue
                }
                if byte == eraseLine {
                    bytes.removeAll()
                    continue
                }
            }
            bytes.append(byte)
            guard bytes.count <= limit else {
                throw CommandFailure(.usage, "password: it is longer than \(limit) bytes; give one line")
            }
        }
        if !isTerminal, bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw CommandFailure(.inputOutput, "password: the input is empty; give one line") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.usage, "password: it is not UTF-8 text; set the terminal or file to UTF-8")
        }
        return text
    }

    private static func removeCharacter(from bytes: inout [UInt8]) {
        while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
    }
}
