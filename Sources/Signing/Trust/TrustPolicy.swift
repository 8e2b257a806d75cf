// SPDX-License-Identifier: Apache-2.0

/// The policy file of a key in a trust folder.
///
/// ```json
/// {
///   "schemaVersion": 1,
///   "fingerprint": "F33B25B691074E84636570F37E4D0C6A708866E7",
///   "owner": "Acme",
///   "plugins": ["acme-*"],
///   "types": ["private"],
///   "level": "process",
///   "mayRevoke": false
/// }
/// ```
struct TrustPolicy: Equatable {
    var fingerprint: String
    var owner: String
    var plugins: [String]
    var types: [Manifest.SignatureType]
    var level: TrustLevel
    var mayRevoke = false
    var rotatedFrom: String?

    /// Every field; another one is an error, so that no misspelt limit is lost.
    private static let fields: Set<String> = [
        "schemaVersion", "fingerprint", "owner", "plugins", "types", "level", "mayRevoke", "rotatedFrom",
    ]

    init(fingerprint: String, owner: String, plugins: [String], types: [Manifest.SignatureType], level: TrustLevel) {
        self.fingerprint = fingerprint
        self.owner = owner
        self.plugins = plugins
        self.types = types
        self.level = level
    }

    /// The policy of a trusted key.
    init(_ key: TrustedKey) {
        self.init(
            fingerprint: key.key.fingerprint, owner: key.owner, plugins: key.plugins,
            types: Manifest.SignatureType.allCases.filter(key.types.contains), level: key.level)
        mayRevoke = key.mayRevoke
        rotatedFrom = key.rotatedFrom
    }

    init(file path: String) throws(SigningError) {
        let bytes = try FileAccess.bytes(of: path, limit: TrustStore.maximumPolicyBytes)
        do throws(FormatError) {
            try self.init(StrictJSON(parsing: bytes))
        } catch {
            throw SigningError(.trustStoreMalformed, "\(path): \(error.message); correct it or remove it")
        }
    }

    init(_ json: StrictJSON) throws(FormatError) {
        guard case .object(let members) = json else { throw FormatError("it is no JSON object") }
        if let other = members.first(where: { !Self.fields.contains($0.key) }) {
            throw FormatError("the field '\(other.key)' is unknown")
        }
        guard json["schemaVersion"] == .integer(1) else { throw FormatError("schemaVersion is not 1") }
        guard case .string(let fingerprint)? = json["fingerprint"], RevocationList.isFingerprint(fingerprint) else {
            throw FormatError("fingerprint is not 40 upper-case hexadecimal digits")
        }
        guard case .string(let owner)? = json["owner"] else { throw FormatError("owner is no text") }
        guard let plugins = Self.texts(json["plugins"]) else { throw FormatError("plugins is no list of texts") }
        if let bad = plugins.first(where: { Glob($0) == nil }) { throw FormatError("'\(bad)' is no pattern") }
        guard let typeNames = Self.texts(json["types"]) else { throw FormatError("types is no list of texts") }
        let types = typeNames.compactMap(Manifest.SignatureType.init)
        guard types.count == typeNames.count else {
            throw FormatError("types has another value than grafana, commercial, community, private, private-glob")
        }
        guard case .string(let levelName)? = json["level"], let level = TrustLevel(rawValue: levelName) else {
            throw FormatError("level is neither process nor in-process")
        }
        self.init(fingerprint: fingerprint, owner: owner, plugins: plugins, types: types, level: level)
        switch json["mayRevoke"] {
        case nil: break
        case .bool(let flag)?: mayRevoke = flag
        default: throw FormatError("mayRevoke is neither true nor false")
        }
        if case .string(let old)? = json["rotatedFrom"] { rotatedFrom = old }
    }

    private static func texts(_ json: StrictJSON?) -> [String]? {
        guard case .array(let elements)? = json else { return nil }
        let texts = elements.compactMap { if case .string(let text) = $0 { text } else { nil as String? } }
        return texts.count == elements.count ? texts : nil
    }

    func applied(to key: PublicKey, file: String) throws(SigningError) -> TrustedKey {
        guard key.fingerprint == fingerprint else {
            throw SigningError(
                .trustStoreMalformed,
                "\(file) is for the key \(fingerprint), the key beside it is \(key.fingerprint); correct one of them")
        }
        var trusted = TrustedKey(key, plugins: plugins, types: Set(types), level: level, grantedBy: file)
        if !owner.isEmpty { trusted.owner = owner }
        trusted.mayRevoke = mayRevoke
        trusted.rotatedFrom = rotatedFrom
        return trusted
    }

    /// The file's text.
    var text: String {
        func list(_ texts: [String]) -> StrictJSON { .array(texts.map { .string($0) }) }
        var members: [StrictJSON.Member] = [
            .init(key: "schemaVersion", value: .integer(1)), .init(key: "fingerprint", value: .string(fingerprint)),
            .init(key: "owner", value: .string(owner)), .init(key: "plugins", value: list(plugins)),
            .init(key: "types", value: list(types.map(\.rawValue))),
            .init(key: "level", value: .string(level.rawValue)),
            .init(key: "mayRevoke", value: .bool(mayRevoke)),
        ]
        if let rotatedFrom { members.append(.init(key: "rotatedFrom", value: .string(rotatedFrom))) }
        return StrictJSON.object(members).indentedText() + "\n"
    }
}
