// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// What the documents promise about the code and about each other.
struct DocumentTests {
    static let documents =
        Repository.files(in: "docs", extensions: ["md"]) + Repository.files(in: "examples", extensions: ["md"])
        + ["README.md"]

    /// Files that define codes, and the regular expression whose first group is one.
    @Test(arguments: [
        ("Sources/Storage/StorageError.swift", #"Self\(rawValue: "([a-z-]+)"\)"#),
        ("Sources/Catalog/CatalogError.swift", #"Self\(rawValue: "([a-z-]+)"\)"#),
        ("Sources/Settings/SettingsError.swift", #"Self\(rawValue: "([a-z-]+)"\)"#),
        ("Sources/Signing/SigningError.swift", #"Self\(rawValue: "([a-z-]+)"\)"#),
        ("Sources/Signing/Verification/SignatureVerdict.swift", #"Self\(rawValue: "([a-z-]+)"\)"#),
        ("Sources/Expressions/ExpressionError.swift", #"Self\(rawValue: "([a-z-]+)"\)"#),
        ("Sources/PluginABI/Handlers/PluginError.swift", #"(?:case \.\w+|default): "([a-z-]+)""#),
    ])
    func everyCodeHasAParagraph(file: String, pattern: String) throws {
        let headings = try Set(Repository.lines("docs/troubleshooting.md").filter { $0.hasPrefix("### ") })

        let codes = try Repository.text(file).matches(of: Regex(pattern, as: (Substring, Substring).self))

        #expect(!codes.isEmpty)
        for code in codes { #expect(headings.contains("### \(code.output.1)"), "no paragraph for \(code.output.1)") }
    }

    @Test(arguments: documents)
    func linksLeadToFiles(document: String) throws {
        let text = try Repository.text(document)
        let folder = Repository.root.appending(path: document).deletingLastPathComponent()

        let links = text.matches(of: /\]\(([^)#\s]+)(?:#[^)]*)?\)/).map { String($0.output.1) }

        for link in links where !link.contains("://") {
            let path = folder.appending(path: link).standardizedFileURL.path
            #expect(FileManager.default.fileExists(atPath: path), "\(document) links to \(link)")
        }
    }
}
