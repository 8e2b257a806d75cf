// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Catalog

/// Versions, ranges, and which one is chosen.
struct VersionTests {
    @Test func versionsAreOrderedAsSemverSays() throws {
        let ordered = [
            "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
            "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2", "1.10.0", "2.0.0+build",
        ]
        for (older, newer) in zip(ordered, ordered.dropFirst()) {
            #expect(SemanticVersion.isOlder(older, than: newer), "\(older) < \(newer)")
            #expect(!SemanticVersion.isOlder(newer, than: older))
        }
    }

    @Test(arguments: ["", "a", "1.2.3.4", "1..2", "1.2.3-", "-1", "1.2.3-ä", "99999999999999999999.0.0"])
    func otherTextsAreNoVersions(_ text: String) {
        #expect(SemanticVersion(text) == nil)
    }

    @Test(arguments: [
        ("*", "12.4.0", true), ("", "1.0.0", true), (">=12.0.0", "12.4.0", true), (">=12.4.1", "12.4.0", false),
        ("^12.0.0", "13.0.0", false), ("^12.0.0", "12.9.1", true), ("~12.3.1", "12.4.0", false),
        ("~12.4.0", "12.4.9", true), ("12.x", "12.4.0", true), ("12.x.x", "11.0.0", false),
        (">=10.0.0 <12.0.0", "12.4.0", false), (">=10.0.0 <13.0.0", "12.4.0", true),
        ("10.x || >=12.0.0", "12.4.0", true), ("10.x || 11.x", "12.4.0", false), ("<=12", "12.4.0", true),
        (">12", "12.4.0", false), ("=12.4.0", "12.4.0", true), ("12.4.0", "12.4.1", false), ("^0.2.3", "0.3.0", false),
        (">=12.4.0", "12.4.0-pre", true), ("~18446744073709551615.1", "12.4.0", false),
        ("^18446744073709551615.0.0", "12.4.0", false), ("<=18446744073709551615", "12.4.0", true),
    ])
    func rangesContainWhatNodeSays(_ range: String, _ version: String, _ isIn: Bool) throws {
        #expect(try #require(VersionRange(range)).contains(version) == isIn)
    }

    private static let target = InstallTarget(
        machine: Machine(system: "linux", processor: "amd64"), serverVersion: "12.4.0")

    private static func choose(_ versions: [ListedVersion], _ wanted: String?) throws -> String {
        try VersionChoice(id: "acme", versions: versions, target: target).choose(wanted).version
    }

    private static func version(_ text: String, _ machines: [String], isCompatible: Bool = true) -> ListedVersion {
        ListedVersion(
            version: text, isCompatible: isCompatible,
            builds: Dictionary(
                machines.map { ($0, .init(hash: nil, size: nil)) }, uniquingKeysWith: { first, _ in first }))
    }

    @Test(arguments: [nil, "", "latest", " latest "])
    func theNewestForTheMachineIsTheFirstInTheList(_ wanted: String?) throws {
        let versions = [
            Self.version("3.0.0", ["linux-amd64"], isCompatible: false), Self.version("2.0.0", ["linux-arm64"]),
            Self.version("1.5.0", ["linux-amd64"]), Self.version("1.9.0", ["any"]),
        ]

        #expect(try Self.choose(versions, wanted) == "1.5.0")
    }

    @Test(arguments: ["1.5.0", "v1.5.0", "^1.5.0", " 1.5.0 "])
    func aVersionIsTakenAsGrafanaReadsIt(_ wanted: String) throws {
        #expect(try Self.choose([Self.version("2.0.0", []), Self.version("1.5.0", [])], wanted) == "1.5.0")
    }

    @Test(
        arguments: [
            (
                "9.9.9", CatalogError.Code.versionNotFound,
                "acme v9.9.9 either does not exist or is not supported on your system (linux)"
            ),
            ("2.0.0", .versionNotSupported, "acme v2.0.0 is not supported on your system (linux-amd64)"),
            (nil, .machineNotSupported, "acme is not compatible with your system architecture: linux-amd64"),
        ] as [(String?, CatalogError.Code, String)])
    func whatCannotBeHasGrafanasWords(_ wanted: String?, _ code: CatalogError.Code, _ words: String) throws {
        let error = try #require(throws: CatalogError.self) {
            try Self.choose([Self.version("2.0.0", ["linux-arm64"])], wanted)
        }

        #expect(error.code == code)
        #expect(error.message == words)
    }

    @Test func aPluginForOtherServersHasGrafanasWords() throws {
        let error = try #require(throws: CatalogError.self) {
            try Self.choose([Self.version("2.0.0", [], isCompatible: false)], nil)
        }

        #expect(error.message == "acme is not compatible with your Grafana version: 12.4.0")
    }
}
