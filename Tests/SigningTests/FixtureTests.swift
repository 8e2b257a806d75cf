// SPDX-License-Identifier: Apache-2.0
import Foundation
import Signing
import Testing

/// Every fixture gets the verdict of its table.
struct FixtureTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var folder: String
        var status: SignatureVerdict.Status
        var code: SignatureVerdict.Code
        var type: Manifest.SignatureType?
        var rootURL = "http://localhost:3000/"

        var testDescription: String { "\(folder) at \(rootURL)" }
    }

    static let trees = [
        Case(folder: "grafana-clock-panel-2.1.5", status: .valid, code: .valid, type: .grafana),
        Case(folder: "grafana-clock-panel-2.1.2", status: .valid, code: .valid, type: .grafana),
        Case(folder: "factry-untimely-panel-0.2.0", status: .valid, code: .valid, type: .community),
        Case(folder: "taosdata-tdengine-datasource-1.0.0", status: .valid, code: .valid, type: .community),
        Case(folder: "kaizten-fullfetch-datasource-1.0.0", status: .valid, code: .valid, type: .privatePlugin),
        Case(
            folder: "kaizten-fullfetch-datasource-1.0.0", status: .invalid, code: .rootURLMismatch,
            rootURL: "http://localhost:3001/"),
        Case(folder: "connect-all-hierarchy-1.0.0", status: .valid, code: .valid, type: .privatePlugin),
        Case(
            folder: "connect-all-hierarchy-1.0.0", status: .invalid, code: .rootURLMismatch,
            rootURL: "https://localhost:3000/"),
        Case(folder: "svtech-anomalydetection-datasource-1.0.0", status: .valid, code: .valid, type: .privatePlugin),
        Case(
            folder: "svtech-anomalydetection-datasource-1.0.0", status: .valid, code: .valid, type: .privatePlugin,
            rootURL: "http://localhost/"),
        Case(
            folder: "svtech-anomalydetection-datasource-1.0.0", status: .valid, code: .valid, type: .privatePlugin,
            rootURL: "http://localhost/grafana"),
        Case(folder: "industrialedgeiihessentials-datasource-2.0.0", status: .invalid, code: .rootURLMismatch),
        Case(
            folder: "industrialedgeiihessentials-datasource-2.0.0", status: .valid, code: .valid, type: .privatePlugin,
            rootURL: "https://localhost:3000/edge-grafana/"),
        Case(folder: "grafana-clock-panel-1.1.1-manifest-v1", status: .invalid, code: .manifestVersion),
        Case(folder: "cloudspout-button-panel-7.0.25", status: .modified, code: .fileMissing),
        Case(folder: "macropower-analytics-panel-2.0.0-modified-files", status: .modified, code: .fileDiffers),
    ]

    static let manifestsOnly: [(folder: String, code: SignatureVerdict.Code)] = [
        ("connect-all-hierarchy-1.0.0-edited-type-badsig", .signatureBad),
        ("frankroos-button-kyklos-7.0.25-badsig", .signatureBad),
        ("validator-manifest-extra-files", .signatureBad),
        ("validator-with-root-urls", .signatureBad),
        ("validator-with-wrong-sha-sum", .signatureBad),
        ("validator-bad-formed-manifest", .manifestNotJSON),
    ]

    @Test(arguments: trees)
    func wholeTreesGetTheVerdictOfTheTable(_ tree: Case) throws {
        let content = try WholePlugin("trees/\(tree.folder)")
        let identity = try PluginIdentity(pluginJSON: content.bytes(of: "plugin.json", limit: 1 << 20))
        let verifier = try Verifier(store: .builtIn(), rootURL: tree.rootURL)

        let verdict = verifier.verdict(on: content, plugin: identity, now: SignatureFixtures.now)

        #expect(verdict.status == tree.status, "\(verdict.reason)")
        #expect(verdict.code == tree.code)
        #expect(verdict.type == tree.type)
        #expect(verdict.signer?.fingerprint == "F33B25B691074E84636570F37E4D0C6A708866E7")
        #expect(verdict.level == (tree.status == .valid ? .inProcess : nil))
        #expect(verdict.organization.isEmpty == (tree.status != .valid))
    }

    @Test(arguments: manifestsOnly)
    func editedManifestsAreInvalid(folder: String, code: SignatureVerdict.Code) throws {
        let content = try FolderContent(SignatureFixtures.path("manifests-only/\(folder)"))
        let verifier = try Verifier(store: .builtIn(), rootURL: "http://localhost:3000/")

        let identity = PluginIdentity(id: "any", version: "1.0.0")
        let verdict = verifier.verdict(on: content, plugin: identity, now: SignatureFixtures.now)

        #expect(verdict.status == .invalid)
        #expect(verdict.code == code, "\(verdict.reason)")
    }

    @Test func everyFixtureHasACase() throws {
        let trees = try FileManager.default.contentsOfDirectory(atPath: SignatureFixtures.path("trees"))
        let manifests = try FileManager.default.contentsOfDirectory(atPath: SignatureFixtures.path("manifests-only"))

        #expect(Set(trees) == Set(Self.trees.map(\.folder)))
        #expect(Set(manifests) == Set(Self.manifestsOnly.map(\.folder)))
    }

    @Test func theFirstOfTheChangedFilesIsNamedWithBothDigests() throws {
        let content = try WholePlugin("trees/macropower-analytics-panel-2.0.0-modified-files")
        let identity = try PluginIdentity(pluginJSON: content.bytes(of: "plugin.json", limit: 1 << 20))
        let verifier = try Verifier(store: .builtIn(), rootURL: nil)

        let verdict = verifier.verdict(on: content, plugin: identity, now: SignatureFixtures.now)

        let difference = try #require(verdict.difference)
        #expect(difference.path == "LICENSE")
        #expect(difference.expected != nil && difference.found != nil && difference.expected != difference.found)
        #expect(verdict.differenceCount == 4)
    }
}
