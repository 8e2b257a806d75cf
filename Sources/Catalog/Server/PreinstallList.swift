// SPDX-License-Identifier: Apache-2.0

/// A plugin that the settings want at the start of the server: `id`, `id@version` or `id@version@url`.
public struct PreinstalledPlugin: Sendable, Equatable {
    /// The id.
    public var id: String
    /// Nil for whatever is the newest.
    public var version: String?
    /// The archive that takes the place of a catalogue.
    public var url: String?

    /// Nil for a text without an id.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "@", maxSplits: 2, omittingEmptySubsequences: false).map {
            String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard PluginID.isValid(parts[0]) else { return nil }
        id = parts[0]
        version = parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil
        url = parts.count > 2 && !parts[2].isEmpty ? parts[2] : nil
    }

    /// An entry of `GF_INSTALL_PLUGINS`: `id`, `id version` or `url;id`.
    public init?(variable text: some StringProtocol) {
        let words = text.split(separator: " ")
        if let mark = text.lastIndex(of: ";") {
            let id = text[mark...].dropFirst().filter { $0 != " " }
            guard PluginID.isValid(String(id)) else { return nil }
            self.id = String(id)
            version = nil
            url = String(text[..<mark].filter { $0 != " " })
        } else {
            guard (1...2).contains(words.count), PluginID.isValid(String(words[0])) else { return nil }
            id = String(words[0])
            version = words.count == 2 ? String(words[1]) : nil
            url = nil
        }
    }

    /// Whether the API leaves its version alone.
    var isPinned: Bool { version != nil || url != nil }

    var subject: InstallSubject {
        url.map { .package($0, id: id, version: version) } ?? .plugin(id: id, version: version)
    }
}

/// What the settings say about plugins at the start.
public struct PreinstallList: Sendable, Equatable {
    /// Installed before the server serves, as an operator does it with `grafana-cli`; a failure ends the start.
    ///
    /// Nothing keeps anybody from changing or removing them afterwards.
    public var asByHand: [PreinstalledPlugin] = []
    /// Installed before the server serves; a failure ends the start.
    public var blocking: [PreinstalledPlugin] = []
    /// Installed while it serves already; a failure is logged.
    public var inBackground: [PreinstalledPlugin] = []
    /// Whether those without a version are brought to the newest.
    public var updates = true

    /// Nothing is installed.
    public init() {}

    /// The entry of an id that the settings hold on to.
    public subscript(id: String) -> PreinstalledPlugin? { (blocking + inBackground).first { $0.id == id } }
}
