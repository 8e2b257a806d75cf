// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// What the user configured for one SQLite file, read from `jsonData` and the secret `securePathOptions`.
struct SQLiteSettings: Sendable, Equatable {
    /// The file, as a path of the server.
    var path: String
    /// The names and values of the options behind the path.
    var options: [FormEncoding.Pair]
    /// The databases that ATTACH may add.
    var attachLimit: Int
    /// Whether statements that write are refused.
    var isReadOnly: Bool
    /// Run at opening, such as `busy_timeout(5000)`.
    var pragmas: [String] = []
    /// The server's own database; empty when the host has none.
    var serverDatabase = ""
    /// Whether the file never changes while it is open, so that no locks are needed.
    var isImmutable = false

    static func == (left: SQLiteSettings, right: SQLiteSettings) -> Bool {
        left.path == right.path && left.attachLimit == right.attachLimit && left.isReadOnly == right.isReadOnly
            && left.pragmas == right.pragmas && left.isImmutable == right.isImmutable
            && left.serverDatabase == right.serverDatabase
    }

    /// - Throws: ``PluginError`` `.invalid`.
    init(jsonData: JSONValue, secureOptions: String?, serverDatabase: String = "") throws {
        self.serverDatabase = serverDatabase
        let path = try Self.text("path", in: jsonData)
        guard !path.isEmpty else { throw PluginError(.invalid, "the setting path is empty; name a SQLite file") }
        let prefix = try Self.text("pathPrefix", in: jsonData)
        self.path = try Self.filePath(prefix + path)
        let texts = [try Self.text("pathOptions", in: jsonData), secureOptions ?? ""].filter { !$0.isEmpty }
        options = FormEncoding.decode(texts.joined(separator: "&"))
        attachLimit = Self.member("attachLimit", of: jsonData)?.int ?? 0
        isReadOnly = Self.member("readOnly", of: jsonData)?.bool ?? true
        guard attachLimit <= 0 || SQLitePathRules.allowsAttach else {
            throw PluginError(
                .invalid,
                "the setting attachLimit is \(attachLimit), and the server does not allow more than 0; set it to 0, or "
                    + "start the server with \(SQLitePathRules.allowAttachVariable)=true")
        }
        guard (0...10).contains(attachLimit) else {
            throw PluginError(.invalid, "the setting attachLimit is \(attachLimit); use a number from 0 to 10")
        }
        try readOptions()
    }

    /// Keys are compared without case.
    private static func member(_ key: String, of jsonData: JSONValue) -> JSONValue? {
        if let value = jsonData[key] { return value }
        let wanted = key.lowercased()
        return jsonData.object?.first { $0.key.lowercased() == wanted }?.value
    }

    private static func text(_ key: String, in jsonData: JSONValue) throws -> String {
        guard let value = member(key, of: jsonData), !value.isNull else { return "" }
        guard let text = value.string else { throw PluginError(.invalid, "the setting \(key) is not a text") }
        return text
    }

    /// The path of a URI `file:/a/b`, `file:///a/b`, or the text itself.
    private static func filePath(_ text: String) throws -> String {
        guard text.hasPrefix("file:") else { return text }
        var rest = text.dropFirst(5)
        if rest.hasPrefix("//") {
            let authority = rest.dropFirst(2).prefix { $0 != "/" }
            guard authority.isEmpty || authority == "localhost" else {
                throw PluginError(.invalid, "the path names the host \"\(authority)\"; use a file of this server")
            }
            rest = rest.dropFirst(2 + authority.count)
        }
        return String(rest)
    }

    private mutating func readOptions() throws {
        for (name, value) in options {
            switch name {
            case "mode":
                guard ["ro", "rw", "rwc"].contains(value) else {
                    throw PluginError(.invalid, "the path option mode is \"\(value)\"; use ro or rw")
                }
                if value == "ro" { isReadOnly = true }
            case "immutable": isImmutable = value == "1" || value == "true"
            case "_pragma": pragmas.append(try Self.pragma(value))
            case "cache", "psow", "_time_format", "_txlock", "_time_integer_format": continue
            default:
                throw PluginError(
                    .invalid, "the path option \"\(name)\" is not known; use mode, immutable, _pragma or cache")
            }
        }
    }

    /// Pragmas that change how this connection reads, and nothing else.
    private static let safePragmas: Set<String> = [
        "busy_timeout", "cache_size", "case_sensitive_like", "foreign_keys", "query_only", "temp_store", "threads",
    ]

    private static func pragma(_ text: String) throws -> String {
        let name = text.prefix { $0 != "(" && $0 != "=" }
        let value = text.dropFirst(name.count).filter { $0 != "(" && $0 != ")" && $0 != "=" }
        guard safePragmas.contains(name.lowercased()),
            value.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x7A).contains($0) || $0 == 0x2D })
        else {
            throw PluginError(
                .invalid,
                "the path option _pragma=\(name) is not allowed; these are: \(safePragmas.sorted().joined(separator: ", "))"
            )
        }
        return "\(name) = \(value)"
    }
}

/// Files that a SQLite data source must not read.
enum SQLitePathRules {
    static let allowAttachVariable = "GF_PLUGIN_UNSAFE_ALLOW_ATTACH_LIMIT_ABOVE_ZERO"

    static let secretPlaces = [
        ".aws", ".config/gcloud", ".azure", ".kube/config", ".docker/config", ".ssh", ".gnupg", ".pki", "/etc/shadow",
        "/etc/passwd", "/etc/gshadow", "/proc/", "/sys/", ".env", "credentials", ".git/config", ".netrc", ".npmrc",
        ".pypirc", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
    ]

    static var allowsAttach: Bool { isSet(allowAttachVariable) }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    private static func isSet(_ name: String) -> Bool { variable(name) == "true" }

    private static var blockedTerms: [String] {
        var terms: [String] = []
        if !isSet("GF_PLUGIN_UNSAFE_DISABLE_SECURITY_BLOCKLIST") { terms += secretPlaces }
        if !isSet("GF_PLUGIN_UNSAFE_DISABLE_GRAFANA_INTERNAL_BLOCKLIST") { terms.append("grafana.db") }
        terms += (variable("GF_PLUGIN_BLOCK_LIST") ?? "").split(separator: ",").map { String($0) }
        return terms.filter { !$0.isEmpty }
    }

    /// Whether a path, as written, percent-decoded or with its links followed, contains a blocked term.
    static func isBlocked(_ path: String) -> Bool {
        let forms = [
            path, FormEncoding.decode("p=" + path.replacingAll("+", with: "%2B")).first?.value ?? path,
            resolved(path) ?? path,
        ]
        let terms = blockedTerms.map { $0.lowercased() }
        return forms.contains { form in
            let form = form.lowercased()
            return terms.contains { form.contains($0) }
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// What is wrong with the file, in the words of the plugin; nil when it can be opened.
    static func fault(of path: String, serverDatabase: String) -> String? {
        if isBlocked(path) { return "path contains blocked term from GF_PLUGIN_BLOCK_LIST" }
        if ServerDatabase.contains(path, database: serverDatabase) { return "it is the server's own database" }
        var status = stat()
        guard stat(path, &status) == 0 else { return "no file exists at the file path" }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return "the provided path is a directory instead of a file"
        case S_IFREG: return nil
        default: return "the provided path is not a regular file"
        }
    }
}
