// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Signing

/// What `verify` says about one plugin.
struct VerdictReport {
    /// A verdict, or why there is none.
    enum Result {
        case verdict(SignatureVerdict)
        case failure(CommandFailure)
    }

    /// As it was named.
    var path: String
    var plugin: PluginIdentity?
    var steps: [VerificationStep] = []
    var result = Result.failure(CommandFailure(.fault, "nothing was judged"))

    init(path: String) {
        self.path = path
    }

    /// Verdicts on files that are not what they should be, whoever signed them.
    private static let malformed: Set<SignatureVerdict.Code> = [
        .manifestMalformed, .manifestTooLarge, .manifestNotJSON, .manifestDuplicateKey, .manifestField, .manifestPath,
        .signatureMalformed, .rootURLMalformed,
    ]

    /// The exit code; nil when the plugin is valid.
    var exitStatus: ExitStatus? {
        switch result {
        case .failure(let failure): failure.status
        case .verdict(let verdict):
            verdict.status == .valid ? nil : Self.malformed.contains(verdict.code) ? .badData : .refused
        }
    }

    // MARK: - For people

    func text(explains: Bool, usesColor: Bool) -> String {
        switch result {
        case .failure(let failure):
            return Self.line("\(Self.colored("error", 31, usesColor)): ", failure.message)
        case .verdict(let verdict):
            let color = verdict.status == .valid ? 32 : verdict.status == .unsigned ? 33 : 31
            let status = Self.colored(verdict.status.rawValue, color, usesColor)
            var text = Self.line(
                "\(TerminalText.line(path)): \(status) [\(verdict.code.rawValue)]: ", Self.fact(verdict))
            for (name, value) in details(verdict) {
                text += "  " + TerminalText.padded(name, to: 12, atEnd: false) + TerminalText.line(value) + "\n"
            }
            return explains ? text + stepLines(usesColor) : text
        }
    }

    private static func fact(_ verdict: SignatureVerdict) -> String {
        verdict.remedy.isEmpty ? verdict.reason : "\(verdict.reason); \(verdict.remedy)"
    }

    private static func line(_ start: String, _ rest: String) -> String { start + TerminalText.line(rest) + "\n" }

    private static func colored(_ text: String, _ color: Int, _ usesColor: Bool) -> String {
        usesColor ? "\u{1B}[\(color)m\(text)\u{1B}[0m" : text
    }

    private func details(_ verdict: SignatureVerdict) -> [(String, String)] {
        var details: [(String, String)] = []
        if let plugin { details.append(("plugin", "\(plugin.id) \(plugin.version)")) }
        if verdict.status == .valid, let manifest = verdict.manifest {
            details.append(("type", "\(verdict.type?.rawValue ?? ""), for \(manifest.organizationName)"))
            if !manifest.rootURLs.isEmpty { details.append(("servers", manifest.rootURLs.joined(separator: ", "))) }
        }
        if let difference = verdict.difference {
            details.append(("file", difference.path))
            details.append(("expected", difference.expected?.hexadecimal ?? "not listed"))
            details.append(("found", difference.found?.hexadecimal ?? "nothing"))
        }
        if let signer = verdict.signer {
            details.append(("key", "\(signer.fingerprint) \(signer.owner)"))
            details.append(("trusted by", signer.grantedBy))
        }
        if let level = verdict.level { details.append(("may run", level.rawValue)) }
        if let time = verdict.signedAt { details.append(("signed", SigningClock.text(seconds: time))) }
        return details
    }

    private func stepLines(_ usesColor: Bool) -> String {
        steps.map { step in
            let color = step.outcome == .passed ? 32 : step.outcome == .failed ? 31 : 33
            let outcome = TerminalText.padded(step.outcome.rawValue, to: 8, atEnd: false)
            let name = TerminalText.padded(step.name, to: 12, atEnd: false)
            return "  \(Self.colored(outcome, color, usesColor))\(name)\(TerminalText.line(step.detail))\n"
        }.joined()
    }

    // MARK: - For programs

    /// `{"schemaVersion":1,"ok":…,"results":[…]}` and a line feed.
    static func json(_ reports: [VerdictReport], explains: Bool) -> String {
        let document: JSONValue = [
            "schemaVersion": 1, "ok": .bool(reports.allSatisfy { $0.exitStatus == nil }),
            "results": .array(reports.map { .object($0.json(explains: explains)) }),
        ]
        return document.encoded() + "\n"
    }

    private func json(explains: Bool) -> JSONObject {
        var object: JSONObject = ["path": .string(path)]
        if let plugin {
            object["plugin"] = .string(plugin.id)
            object["version"] = .string(plugin.version)
        }
        switch result {
        case .failure(let failure):
            object["status"] = "error"
            object["reason"] = .string(failure.message)
        case .verdict(let verdict): Self.add(verdict, to: &object)
        }
        if explains {
            object["steps"] = .array(
                steps.map {
                    ["name": .string($0.name), "outcome": .string($0.outcome.rawValue), "detail": .string($0.detail)]
                })
        }
        return object
    }

    private static func add(_ verdict: SignatureVerdict, to object: inout JSONObject) {
        object["status"] = .string(verdict.status.rawValue)
        object["code"] = .string(verdict.code.rawValue)
        object["reason"] = .string(verdict.reason)
        if !verdict.remedy.isEmpty { object["remedy"] = .string(verdict.remedy) }
        if let type = verdict.type {
            object["signatureType"] = .string(type.rawValue)
            object["organization"] = .string(verdict.organization)
            object["rootUrls"] = .array((verdict.manifest?.rootURLs ?? []).map { .string($0) })
        }
        if let level = verdict.level { object["level"] = .string(level.rawValue) }
        if let time = verdict.signedAt { object["signedAt"] = .string(SigningClock.text(seconds: time)) }
        if let signer = verdict.signer {
            object["key"] = [
                "fingerprint": .string(signer.fingerprint), "keyId": .string(signer.keyID),
                "owner": .string(signer.owner), "grantedBy": .string(signer.grantedBy),
            ]
        }
        if let difference = verdict.difference {
            object["difference"] = [
                "path": .string(difference.path),
                "expected": difference.expected.map { .string($0.hexadecimal) } ?? .null,
                "found": difference.found.map { .string($0.hexadecimal) } ?? .null,
            ]
            object["differenceCount"] = .integer(Int64(verdict.differenceCount))
        }
    }
}
