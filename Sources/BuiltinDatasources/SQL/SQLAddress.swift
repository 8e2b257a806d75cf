// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Where a database server listens.
struct SQLAddress: Sendable, Equatable {
    /// A name, an address, or a path that starts with `/`.
    var host: String
    /// nil: the usual one.
    var port: Int?

    /// Reads `host`, `host:port`, `[v6]:port`, or a path.
    ///
    /// - Throws: ``PluginError`` `.invalid`.
    init(_ url: String) throws {
        guard !url.isEmpty else {
            throw PluginError(.invalid, "the data source has no host; set its URL to host:port", source: .user)
        }
        guard !url.hasPrefix("/") else {
            host = url
            return
        }
        var portText: Substring?
        if url.hasPrefix("["), let end = url.firstIndex(of: "]") {
            host = String(url[url.index(after: url.startIndex)..<end])
            let rest = url[url.index(after: end)...]
            if rest.hasPrefix(":") { portText = rest.dropFirst() }
        } else if let colon = url.lastIndex(of: ":"), url.firstIndex(of: ":") == colon {
            host = String(url[..<colon])
            portText = url[url.index(after: colon)...]
        } else {
            host = url
        }
        guard let portText else { return }
        guard let number = Int(portText), (1...65_535).contains(number) else {
            throw PluginError(
                .invalid, "invalid port in host specifier \"\(url)\": use a number from 1 to 65535", source: .user)
        }
        port = number
    }
}

/// Reads settings that are texts.
enum SQLSetting {
    /// - Throws: ``PluginError`` `.invalid` for a value that is no text.
    static func text(_ key: String, in jsonData: JSONValue) throws -> String {
        guard let value = jsonData[key], !value.isNull else { return "" }
        guard let text = value.string else { throw PluginError(.invalid, "the setting \(key) is not a text") }
        return text
    }

    /// - Throws: ``PluginError`` `.invalid` for a value that is neither true nor false.
    static func flag(_ key: String, in jsonData: JSONValue, default fallback: Bool = false) throws -> Bool {
        guard let value = jsonData[key], !value.isNull else { return fallback }
        guard let flag = value.bool else { throw PluginError(.invalid, "the setting \(key) is not true or false") }
        return flag
    }
}
