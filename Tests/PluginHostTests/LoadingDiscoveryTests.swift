// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PluginHost

struct LoadingDiscoveryTests {
    private let folder: LoadingFolder

    init() throws { folder = try LoadingFolder() }

    private func discover(
        _ settings: LoadingSettings = LoadingSettings(), registered: [String: String] = [:]
    ) -> (bundles: [PluginBundle], refusals: [PluginRefusal]) {
        var discovery = Discovery(settings: settings)
        let sources = [PluginSource.collection(path: folder.path, class: .external)]
        let bundles = discovery.bundles(in: sources, registered: registered)
        return (bundles, discovery.refusals)
    }

    @Test func everySubfolderAndSymlinkIsASource() throws {
        let elsewhere = try LoadingFolder()
        try elsewhere.writePlugin("c", id: "c")
        try folder.writePlugin("b", id: "b")
        try folder.writePlugin("a/deep/er", id: "a")
        try folder.write("plugin.json", #"{"id": "ignored", "type": "panel"}"#)
        try folder.link("z", to: elsewhere["c"])

        let found = discover()

        #expect(found.bundles.map(\.primary.descriptor.id) == ["a", "b", "c"])
        #expect(found.bundles.map(\.primary.sourceFolder) == [folder["a"], folder["b"], folder["z"]])
        #expect(found.refusals.isEmpty)
    }

    @Test func onlyDistIsEnteredWhenThereIsOne() throws {
        try folder.writePlugin("a", id: "outer")
        try folder.writePlugin("a/src", id: "source")
        try folder.writePlugin("a/dist", id: "built")

        #expect(discover().bundles.map(\.primary.descriptor.id) == ["built"])
    }

    @Test func nodeModulesAndOtherNamesDoNotCount() throws {
        try folder.writePlugin("a/node_modules/x", id: "x")
        try folder.write("a/Plugin.json", #"{"id": "y", "type": "panel"}"#)

        #expect(discover().bundles.isEmpty)
    }

    @Test func nestedPluginsJoinTheBundle() throws {
        try folder.writePlugin("a", id: "parent-app", type: "app")
        try folder.writePlugin("a/one", id: "one")
        try folder.writePlugin("a/two/deep", id: "two")
        try folder.writePlugin("ab", id: "sibling")

        let bundles = discover().bundles

        #expect(bundles.map(\.primary.descriptor.id) == ["parent-app", "sibling"])
        #expect(bundles.first?.children.map(\.descriptor.id) == ["one", "two"])
    }

    @Test func aSymlinkLoopEndsTheWalkOfOneSource() throws {
        try folder.writePlugin("a", id: "a")
        try folder.makeFolder("a/x")
        try folder.link("a/x/loop", to: folder["a"])
        try folder.writePlugin("b", id: "b")

        let found = discover()

        #expect(found.bundles.map(\.primary.descriptor.id) == ["b"])
        #expect(found.refusals.map(\.code) == [.symlinkLoop])
    }

    @Test func aMissingPluginsFolderIsAReason() {
        var discovery = Discovery(settings: LoadingSettings())
        let bundles = discovery.bundles(in: [.collection(path: folder["none"], class: .external)])

        #expect(bundles.isEmpty)
        #expect(discovery.refusals.map(\.code) == [.folderMissing])
        #expect(discovery.refusals.first?.grafanaErrorCode == nil)
    }

    @Test func theFirstOfTwoEqualIdsWins() throws {
        try folder.writePlugin("a", id: "same")
        try folder.writePlugin("b", id: "same")
        try folder.writePlugin("c", id: "other-app", type: "app")
        try folder.writePlugin("c/child", id: "same")

        let found = discover()

        #expect(found.bundles.map(\.primary.folder) == [folder["a"], folder["c"]])
        #expect(found.bundles.last?.children.isEmpty == true)
        #expect(found.refusals.map(\.code) == [.duplicateID, .duplicateID])
        #expect(found.refusals.first?.found == folder["b"])
        #expect(found.refusals.first?.expected == folder["a"])
    }

    @Test func aRegisteredPluginMayComeAgainFromItsSourceOnly() throws {
        try folder.writePlugin("a", id: "same")

        #expect(discover(registered: ["same": folder["a"]]).bundles.count == 1)
        try folder.writePlugin("a/dist", id: "same")
        #expect(discover(registered: ["same": folder["a"]]).bundles.first?.primary.folder == folder["a/dist"])
        #expect(discover(registered: ["same": folder["a/dist"]]).bundles.count == 1)
        #expect(discover(registered: ["same": "/elsewhere"]).refusals.map(\.code) == [.duplicateID])
        #expect(discover(registered: ["same": ""]).bundles.isEmpty)
    }

    @Test func disabledAndOtherTypesAreLeftOutQuietly() throws {
        try folder.writePlugin("a", id: "off")
        try folder.writePlugin("b", id: "secrets", type: "secretsmanager")
        var settings = LoadingSettings()
        settings.disabledIDs = ["off"]

        let found = discover(settings)

        #expect(found.bundles.isEmpty)
        #expect(found.refusals.map(\.code) == [.disabled, .typeNotPermitted])
        #expect(found.refusals.allSatisfy { !$0.isFault && $0.grafanaErrorCode == nil })
    }

    @Test func aBadPluginStopsNoOther() throws {
        try folder.write("a/plugin.json", "{")
        try folder.writePlugin("b", id: "b")

        let found = discover()

        #expect(found.bundles.map(\.primary.descriptor.id) == ["b"])
        #expect(found.refusals.map(\.code) == [.pluginJSONMalformed])
        #expect(found.refusals.first?.folder == folder["a"])
    }

    @Test func aSymlinkOutOfTheFolderIsRefused() throws {
        try folder.writePlugin("a", id: "a")
        try folder.link("a/passwd", to: "/etc/passwd")

        let found = discover()

        #expect(found.refusals.map(\.code) == [.fileOutsideFolder])
        #expect(found.refusals.first?.pluginID == "a")
    }

    @Test func aDeepFolderIsRefused() throws {
        try folder.makeFolder("a/" + Array(repeating: "d", count: 80).joined(separator: "/"))
        try folder.writePlugin("a", id: "a")

        #expect(discover().refusals.map(\.code) == [.folderTooDeep])
    }

    @Test func filesAreFrozenInProductionAndLiveInDevelopment() throws {
        try folder.writePlugin("a", id: "a")
        var development = LoadingSettings()
        development.isDevelopment = true
        let frozen = try #require(discover().bundles.first?.primary.files)
        let live = try #require(discover(development).bundles.first?.primary.files)

        try folder.write("a/late.js", "late")

        #expect(frozen.contains("plugin.json"))
        #expect(!frozen.contains("late.js"))
        #expect(live.location(of: "./late.js") == folder["a/late.js"])
        #expect(try live.names() == ["late.js", "plugin.json"])
    }

    @Test(arguments: ["", "/etc/passwd", "../b/plugin.json", "x/../../b", "a\0b", ".", "none"])
    func pathsThatLeaveTheFolderAreNotFound(path: String) throws {
        try folder.writePlugin("a", id: "a")

        #expect(PluginFiles(root: folder["a"], listing: .live).location(of: path) == nil)
    }
}
