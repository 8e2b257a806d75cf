// SPDX-License-Identifier: Apache-2.0
public import Signing

/// The reason why a plugin does not run: one value, and the same words in the log, the API and the terminal.
///
/// Example: `plugin 'acme-sine-datasource': the library is built for aarch64, this server runs on x86-64
/// (found: aarch64; expected: x86-64); install the build for linux_amd64 [library-wrong-architecture]`
public struct PluginRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// The class of the refusal, stable for tests, scripts and the anchors of `docs/troubleshooting.md`.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The kebab-case name.
        public var rawValue: String
        /// Makes one with the defaults.
        public init(rawValue: String) { self.rawValue = rawValue }
        init(_ rawValue: String) { self.rawValue = rawValue }
        /// The kebab-case name.
        public var description: String { rawValue }
    }

    /// What kind of refusal it is.
    public var code: Code
    /// The id of plugin.json; nil when the refusal came before an id was known.
    public var pluginID: String?
    /// The folder of plugin.json, or the folder that could not be searched.
    public var folder: String
    /// The fact that the host met, such as `aarch64`.
    public var found: String
    /// The fact that the host needs, such as `x86-64`.
    public var expected: String
    /// What happened: subject and fact, one sentence without a full stop.
    public var message: String
    /// The command or action that mends it.
    public var remedy: String
    /// Of a refused signature: the exact reason, the first file that differs, the key, and what grants it trust.
    public var signature: SignatureVerdict?

    /// Makes one with the defaults.
    public init(
        _ code: Code, pluginID: String?, folder: String, found: String = "", expected: String = "", message: String,
        remedy: String
    ) {
        self.code = code
        self.pluginID = pluginID
        self.folder = folder
        self.found = found
        self.expected = expected
        self.message = message
        self.remedy = remedy
    }

    /// The whole refusal in one line: subject, fact, both values, remedy, code.
    public var description: String {
        let subject = pluginID.map { "plugin '\($0)'" } ?? "plugin folder '\(folder)'"
        let facts = [("found", found), ("expected", expected)].filter { !$0.1.isEmpty }
        let values = facts.isEmpty ? "" : " (" + facts.map { "\($0.0): \($0.1)" }.joined(separator: "; ") + ")"
        return "\(subject): \(message)\(values); \(remedy) [\(code)]"
    }

    /// The paragraph that explains the code, relative to the repository or the installed documents.
    public var documentation: String { "docs/troubleshooting.md#\(code.rawValue)" }

    /// The `errorCode` of `GET /api/plugins/errors`; nil when Grafana lists no error for such a plugin.
    ///
    /// - SeeAlso: Grafana, `pkg/plugins/errors.go`; any other text than the five known codes stands for itself there.
    public var grafanaErrorCode: String? {
        switch code {
        case .signatureMissing: "signatureMissing"
        case .signatureModified: "signatureModified"
        case .signatureInvalid: "signatureInvalid"
        case .executableMissing, .startFailed: "failedBackendStart"
        default: pluginID == nil || Code.quiet.contains(code) ? nil : code.rawValue
        }
    }

    /// The public text that Grafana shows for ``grafanaErrorCode``.
    public var grafanaMessage: String {
        switch grafanaErrorCode {
        case "signatureMissing": "Plugin signature is missing"
        case "signatureModified": "Plugin signature does not match"
        case "signatureInvalid": "Invalid plugin signature"
        case "failedBackendStart": "Plugin failed to start"
        default: "Plugin failed to load"
        }
    }

    /// Whether an operator has to do something; false for a plugin that is left out by a setting or by order.
    public var isFault: Bool { !Code.quiet.contains(code) }
}
