// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Signing

/// For which servers a signed plugin is.
struct RootURLTests {
    static let pairs: [(url: String, server: String, type: Manifest.SignatureType, isAllowed: Bool?)] = [
        ("http://localhost:3000/", "http://localhost:3000/", .privatePlugin, true),
        ("http://localhost:3000", "http://localhost:3000/", .privatePlugin, true),
        ("http://localhost:3000//", "http://localhost:3000/", .privatePlugin, true),
        ("http://h/grafana/", "http://h/grafana", .privatePlugin, true),
        ("http://h/a/../grafana", "http://h//grafana/", .privatePlugin, true),
        ("HTTP://h/", "http://h/", .privatePlugin, true),
        ("http://user@h/", "http://h/", .privatePlugin, true),
        ("http://h/#part", "http://h/", .privatePlugin, true),
        ("http://H/", "http://h/", .privatePlugin, false),
        ("http://h:80/", "http://h/", .privatePlugin, false),
        ("https://h/", "http://h/", .privatePlugin, false),
        ("http://h/a", "http://h/b", .privatePlugin, false),
        ("http://h/?a=1", "http://h/", .privatePlugin, false),
        ("h:3000", "http://h:3000/", .privatePlugin, false),
        ("", "http://h/", .privatePlugin, false),
        ("http://*.example.com/", "http://a.example.com/", .privatePlugin, false),
        ("http://*.example.com/", "http://a.example.com/", .privateGlob, true),
        ("http://*.example.com/", "http://a.b.example.com/", .privateGlob, false),
        ("http://**.example.com/", "http://a.b.example.com/", .privateGlob, true),
        ("http://*.example.com/", "http://a.example.com/x", .privateGlob, false),
        ("http://*.example.com/*/", "http://a.example.com/x", .privateGlob, true),
        ("http://*.example.com/", "http://a.example.com", .privateGlob, true),
        ("http://*.example.com/**", "http://a.example.com/x/y.z", .privateGlob, true),
        ("http://?.example.com/", "http://a.example.com/", .privateGlob, true),
        ("http://?.example.com/", "http://ab.example.com/", .privateGlob, false),
        ("http://[ab].example.com/", "http://a.example.com/", .privateGlob, nil),
        ("http://x[ab].example.com/", "http://xa.example.com/", .privateGlob, true),
        ("http://x[!ab].example.com/", "http://xa.example.com/", .privateGlob, false),
        ("http://x[a-c].example.com/", "http://xb.example.com/", .privateGlob, true),
        ("http://h/{a,b}/", "http://h/b/", .privateGlob, true),
        ("http://h/{a,b}/", "http://h/c/", .privateGlob, false),
        ("http://h/{a,b", "http://h/a", .privateGlob, nil),
        ("http://h/%zz", "http://h/", .privatePlugin, nil), ("http://h h/", "http://h/", .privatePlugin, nil),
        ("http://h:port/", "http://h/", .privatePlugin, nil), ("1http://h/", "http://h/", .privatePlugin, nil),
        ("http://h/", "http://h:x/", .privatePlugin, nil),
        ("http://[::1]:3000/", "http://[::1]:3000/", .community, true),
        ("http://[::1/", "http://h/", .privatePlugin, nil),
    ]

    @Test(arguments: pairs)
    func aURLAllowsAServer(_ pair: (url: String, server: String, type: Manifest.SignatureType, isAllowed: Bool?)) {
        #expect(RootURL.isAllowed([pair.url], applicationURL: pair.server, type: pair.type) == pair.isAllowed)
    }

    @Test func oneMatchIsEnough() {
        let urls = ["http://a/", "http://b/"]

        #expect(RootURL.isAllowed(urls, applicationURL: "http://b/", type: .privatePlugin) == true)
    }

    @Test func hostilePatternsTakeNoTime() throws {
        let pattern = String(repeating: "**a", count: 400)
        let glob = try #require(Glob(pattern))

        #expect(!glob.matches(String(repeating: "a", count: 2000) + "b"))
    }

    @Test func patternsThatAreTooLongOrOpenAreRefused() {
        #expect(Glob(String(repeating: "a", count: Glob.maximumLength + 1)) == nil)
        #expect(
            Glob("[") == nil && Glob("[]") == nil && Glob("{a") == nil && Glob("a\\") == nil && Glob("[b-a]") == nil)
        #expect(Glob(String(repeating: "{", count: 20) + String(repeating: "}", count: 20)) == nil)
    }

    @Test func aPluginIsForTheServersOfItsManifest() throws {
        let plugin = try TemporaryPlugin()
        try plugin.sign(TestKeys.acme, TemporaryPlugin.request(rootURLs: ["https://grafana.acme.example/"]))

        #expect(try plugin.verdict(rootURL: "https://grafana.acme.example").code == .valid)
        #expect(try plugin.verdict(rootURL: "https://grafana.other.example/").code == .rootURLMismatch)
        #expect(try plugin.verdict(rootURL: "https://grafana.other.example:x/").code == .rootURLMalformed)
        #expect(try plugin.verdict(rootURL: nil).code == .valid)
    }
}
