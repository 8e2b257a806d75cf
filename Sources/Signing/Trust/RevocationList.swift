// SPDX-License-Identifier: Apache-2.0

/// Keys and files that are no longer trusted, whoever signed them.
public struct RevocationList: Sendable, Equatable {
    /// A revoked key or file.
    public struct Entry: Sendable, Equatable {
        /// The key's fingerprint in upper case, or the file's SHA-256 in lower case.
        public var subject: String
        /// Why, for a person.
        public var reason: String

        /// Makes an entry.
        public init(subject: String, reason: String) {
            self.subject = subject
            self.reason = reason
        }
    }

    /// Rises with each list; a list with a smaller one is refused.
    public var serial: Int64
    /// When the list was made, milliseconds since 1970.
    public var timeMilliseconds: Int64
    /// The keys.
    public var keys: [Entry] = []
    /// The files.
    public var files: [Entry] = []
    /// The fingerprint of the key that signed the list; empty for the list that revokes nothing.
    public var signedBy = ""

    /// The list's name in a trust folder.
    public static let fileName = "revocations.txt"
    /// The largest list that is read: 16 MiB.
    public static let maximumBytes = 16 << 20
    /// What the text says that it is, so that no other signed text passes for a list.
    static let kind = "grafana-revocations"

    /// The list that revokes nothing.
    public init() {
        serial = 0
        timeMilliseconds = 0
    }

    /// The entry of a key, if it is revoked; who revokes a subkey revokes the key.
    public func entry(of key: PublicKey) -> Entry? { keys.first { key.isNamed($0.subject) } }

    /// Reads a signed text.
    init(_ json: StrictJSON, signedBy: String) throws(SigningError) {
        func malformed(_ fact: String) -> SigningError {
            SigningError(
                .statementInvalid, "\(Self.fileName): \(fact); make it again with grafana-sign trust revoke")
        }
        guard case .integer(let serial)? = json["serial"], serial > 0 else {
            throw malformed("it has no serial above 0")
        }
        guard case .integer(let time)? = json["time"], time > 0 else { throw malformed("it has no time") }
        self.serial = serial
        self.timeMilliseconds = time
        self.signedBy = signedBy
        guard let keys = Self.entries(json["keys"], "fingerprint"), keys.allSatisfy({ Self.isFingerprint($0.subject) })
        else { throw malformed("its keys are no list of fingerprints with reasons") }
        guard let files = Self.entries(json["files"], "sha256"),
            files.allSatisfy({ FileDigest(hexadecimal: $0.subject) != nil })
        else { throw malformed("its files are no list of SHA-256 digests with reasons") }
        self.keys = keys
        self.files = files
    }

    private static func entries(_ json: StrictJSON?, _ name: String) -> [Entry]? {
        guard case .array(let elements)? = json else { return nil }
        var entries: [Entry] = []
        for element in elements {
            guard case .string(let subject)? = element[name], case .string(let reason)? = element["reason"] else {
                return nil
            }
            entries.append(Entry(subject: subject, reason: reason))
        }
        return entries
    }

    static func isFingerprint(_ text: String) -> Bool {
        text.utf8.count == 40 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }
    }

    /// The text to sign.
    public var text: String {
        func list(_ entries: [Entry], _ name: String) -> StrictJSON {
            .array(
                entries.map {
                    .object([
                        .init(key: name, value: .string($0.subject)), .init(key: "reason", value: .string($0.reason)),
                    ])
                })
        }
        let json = StrictJSON.object([
            .init(key: "kind", value: .string(Self.kind)), .init(key: "schemaVersion", value: .integer(1)),
            .init(key: "serial", value: .integer(serial)), .init(key: "time", value: .integer(timeMilliseconds)),
            .init(key: "keys", value: list(keys, "fingerprint")), .init(key: "files", value: list(files, "sha256")),
        ])
        return json.indentedText()
    }
}
