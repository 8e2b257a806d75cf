// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What one check of the doctor found.
struct Finding: Sendable, Equatable {
    /// How bad it is.
    enum Status: String, Sendable {
        case ok, warning, error
    }

    /// Kebab-case and stable: `settings`, `paths`, `database`, `secret-key`, `port`, `trust`, `plugins`,
    /// `disk`.
    var check: String
    var status: Status
    /// Subject and fact.
    var message: String
    /// What to do; empty when all is well.
    var remedy: String

    static func ok(_ check: String, _ message: String) -> Finding {
        Finding(check: check, status: .ok, message: message, remedy: "")
    }

    static func warning(_ check: String, _ message: String, remedy: String) -> Finding {
        Finding(check: check, status: .warning, message: message, remedy: remedy)
    }

    static func error(_ check: String, _ message: String, remedy: String) -> Finding {
        Finding(check: check, status: .error, message: message, remedy: remedy)
    }
}

/// All findings as a person or a program reads them.
struct FindingReport: Sendable {
    var findings: [Finding]

    /// Whether there is neither a warning nor an error.
    var isFine: Bool { findings.allSatisfy { $0.status == .ok } }

    /// A line for each finding.
    func text(usesColor: Bool) -> String {
        findings.map { finding in
            let status = TerminalText.padded(finding.status.rawValue, to: 7, atEnd: false)
            let check = TerminalText.padded(finding.check, to: 10, atEnd: false)
            let remedy = finding.remedy.isEmpty ? "" : "; \(finding.remedy)"
            let shown = usesColor ? "\u{1B}[\(color(of: finding.status))m\(status)\u{1B}[0m" : status
            return "\(shown)  \(check)  \(TerminalText.line(finding.message + remedy))\n"
        }.joined()
    }

    /// `{"ok":false,"findings":[{"check","status","message","remedy"}]}` and a line feed.
    func json() -> String {
        let list = findings.map { finding -> JSONValue in
            [
                "check": .string(finding.check), "status": .string(finding.status.rawValue),
                "message": .string(finding.message), "remedy": .string(finding.remedy),
            ]
        }
        let report: JSONValue = ["ok": .bool(isFine), "findings": .array(list)]
        return report.encoded() + "\n"
    }

    private func color(of status: Finding.Status) -> Int {
        switch status {
        case .ok: 32
        case .warning: 33
        case .error: 31
        }
    }
}
