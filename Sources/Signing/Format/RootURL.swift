// SPDX-License-Identifier: Apache-2.0

/// The parts of a URL that decide whether a plugin is signed for a server.
///
/// Compared as text, as Grafana does: default ports are not filled in and the case of the host counts.
struct RootURL: Equatable {
    var scheme: String
    /// With the port.
    var host: String
    /// Path and query without needless slashes and dots.
    var request: String

    /// Nil when Go's `url.Parse` would refuse the text.
    init?(_ text: String) {
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else { return nil }
        let whole = text.prefix { $0 != "#" }
        guard let colon = whole.firstRange(of: "://") else {
            // A relative or opaque URL: it parses and equals no server's.
            guard !whole.hasPrefix(":") else { return nil }
            (scheme, host, request) = ("", "", String(whole))
            return
        }
        let name = whole[..<colon.lowerBound]
        guard Self.isScheme(name) else { return nil }
        let rest = whole[colon.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let tail = rest.dropFirst(authority.count)
        let hostText = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        guard Self.isHost(hostText), Self.hasValidEscapes(tail.prefix { $0 != "?" }) else { return nil }

        scheme = name.lowercased()
        host = String(hostText)
        request = Self.cleaned(tail.hasPrefix("/") ? tail[...] : "/" + tail)
    }

    /// Whether a manifest with these root URLs may be loaded by the server of the application URL.
    ///
    /// - Returns: nil when a URL that had to be looked at is malformed.
    static func isAllowed(_ rootURLs: [String], applicationURL: String, type: Manifest.SignatureType?) -> Bool? {
        guard let server = RootURL(applicationURL) else { return nil }
        // Patterns are compared with the URL as Grafana keeps it: with a slash at its end.
        let whole = applicationURL.hasSuffix("/") ? applicationURL : applicationURL + "/"
        for text in rootURLs {
            guard let url = RootURL(text) else { return nil }
            if !url.scheme.isEmpty, url == server { return true }
            guard type == .privateGlob else { continue }
            guard let glob = Glob(text, separators: ["/", "."]) else { return nil }
            if glob.matches(whole) { return true }
        }
        return false
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy {
            isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2B || $0 == 0x2D || $0 == 0x2E
        }
    }

    private static func isLetter(_ unit: UInt8) -> Bool {
        (0x41...0x5A).contains(unit) || (0x61...0x7A).contains(unit)
    }

    private static func isHost(_ text: Substring) -> Bool {
        guard !text.utf8.contains(where: { Array("{}|^`\\%".utf8).contains($0) }) else { return false }
        let isAddress = text.hasPrefix("[")
        guard !isAddress || text.contains("]") else { return false }
        // Behind an address in brackets nothing but a port may follow.
        let rest = isAddress ? text[text.index(after: text.lastIndex(of: "]") ?? text.startIndex)...] : text
        guard !isAddress || rest.isEmpty || rest.hasPrefix(":") else { return false }
        let port = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first
        return (port ?? "").utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    private static func hasValidEscapes(_ text: Substring) -> Bool {
        text.split(separator: "%", omittingEmptySubsequences: false).dropFirst().allSatisfy { part in
            part.utf8.count >= 2 && part.utf8.prefix(2).allSatisfy { Unicode.Scalar($0).properties.isASCIIHexDigit }
        }
    }

    /// The path without double slashes, `.` and `..` parts and a slash at the end.
    private static func cleaned(_ path: Substring) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }
}
