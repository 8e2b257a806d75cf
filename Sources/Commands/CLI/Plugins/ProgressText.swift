// SPDX-License-Identifier: Apache-2.0
import Catalog
import Glibc
import Synchronization

/// Shows an installation on standard error: one line that changes on a terminal, a line for each step otherwise.
final class ProgressText: Sendable {
    private struct State {
        var name = ""
        var started = ContinuousClock.now
        var shown = ContinuousClock.now
        var firstByte: UInt64 = 0
        var isOpen = false
    }

    private let isTerminal: Bool
    private let isChatty: Bool
    private let state = Mutex(State())
    /// Ten times a second is enough for the eye.
    private static let interval = Duration.milliseconds(100)

    init(isChatty: Bool) {
        isTerminal = isatty(STDERR_FILENO) == 1
        self.isChatty = isChatty
    }

    func show(_ event: InstallEvent) {
        switch event {
        case .downloading(let name, let bytes, let whole): line("Downloading \(name)", bytes, whole, showsRate: true)
        case .unpacking(let id, let bytes, let whole): line("Unpacking \(id)", bytes, whole, showsRate: false)
        case .resolved(let id, let version, let source): step("\(id) v\(version) from \(source)")
        case .verified(let id, let publisher): step("\(id): \(Self.words(publisher))")
        case .asking: finish()
        case .dependency(let id, let parent): say("Fetching \(parent) dependency \(id)...")
        case .warning(let text): say("warning: \(text)")
        case .installed: finish()
        }
    }

    /// Ends the changing line, if there is one.
    func finish() {
        state.withLock { state in
            if state.isOpen { Terminal.writeError("\r\u{1b}[K") }
            state.isOpen = false
        }
    }

    static func words(_ publisher: LockedPlugin.Publisher) -> String {
        guard let fingerprint = publisher.fingerprint else { return "nobody signed it" }
        let owner = publisher.owner.map { " (\($0))" } ?? ""
        return "signature is valid, key \(fingerprint)\(owner)"
    }

    private func say(_ text: String) {
        finish()
        Terminal.writeError(TerminalText.line(text) + "\n")
    }

    private func step(_ text: String) { if isChatty { say(text) } }

    private func line(_ name: String, _ bytes: UInt64, _ whole: UInt64?, showsRate: Bool) {
        guard isTerminal else { return }
        state.withLock { state in
            let now = ContinuousClock.now
            if state.name != name || bytes < state.firstByte {
                (state.name, state.started, state.firstByte) = (name, now, bytes)
            } else if state.shown.duration(to: now) < Self.interval, bytes != whole {
                return
            }
            state.shown = now
            state.isOpen = true
            let seconds = Double(state.started.duration(to: now) / .milliseconds(1)) / 1000
            let rate = seconds > 0.2 && showsRate ? Double(bytes - state.firstByte) / seconds : nil
            Terminal.writeError("\r\(TerminalText.line(Self.text(name, bytes, whole, rate: rate)))\u{1b}[K")
        }
    }

    /// `Downloading acme-sine-datasource  4.2 of 12.0 MB  35%  2.1 MB/s`.
    static func text(_ name: String, _ bytes: UInt64, _ whole: UInt64?, rate: Double?) -> String {
        var text = "\(name)  \(megabytes(Double(bytes)))"
        if let whole, whole > 0 {
            let percent = Int(min(1, Double(bytes) / Double(whole)) * 100)
            text += " of \(megabytes(Double(whole))) MB  \(percent)%"
        } else {
            text += " MB"
        }
        if let rate { text += "  \(megabytes(rate)) MB/s" }
        return text
    }

    private static func megabytes(_ bytes: Double) -> String {
        let tenths = Int(bytes / 100_000)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
