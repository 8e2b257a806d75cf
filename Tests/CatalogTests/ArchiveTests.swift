// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing

@testable import Catalog

/// Archives from outside.
struct ArchiveTests {
    /// All archives of `hostile_archives.py`; the script says what each is refused with.
    @Test func hostileArchivesAreRefusedAndLeaveNothing() async throws {
        let place = try Workplace()
        let archives = place.folder.appending(path: "hostile")
        try FileManager.default.createDirectory(at: archives, withIntermediateDirectories: true)
        let script = Workplace.repository.appending(path: "Tests/Catalog/hostile_archives.py").path
        let made = try await Tool.run("python3", [script, archives.path])
        try #require(made.status == 0, "\(made.output)")
        let list = made.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        #expect(list.count >= 50)
        let before = try place.outside()

        try await place.withInstaller { session in
            for line in list {
                let claim = try FolderClaim(session.installer.folder)
                let path = archives.appending(path: "\(line[0]).zip").path
                do {
                    _ = try await session.installer.install(
                        .package(path), options: InstallOptions(), claim: claim, observer: InstallObserver())
                    Issue.record("\(line[0]) was installed")
                } catch let error as CatalogError {
                    #expect(error.code.rawValue == line[1], "\(line[0]): \(error)")
                }
                #expect(try place.tree().isEmpty, "\(line[0])")
                #expect(try place.rubbish().isEmpty, "\(line[0])")
            }
        }
        #expect(try place.outside() == before)
    }

    @Test(arguments: [
        "a", "a/b", "img/logo.svg", "with space/x", "ünïcode/日本.txt", ".config/x", "a.b/c..d",
        "node_modules/@acme/x.js",
    ])
    func usualNamesAreTaken(_ name: String) throws {
        #expect(try SafeName(Array(name.utf8)).path == name)
    }

    @Test func aFolderAtTheTopIsLeftOut() throws {
        let entries = ["any-name/", "any-name/plugin.json", "any-name/img/a.svg"].enumerated().map(Self.entry)

        let plan = try UnpackPlan(entries, archiveBytes: 100, subject: "it")

        #expect(plan.folders == ["img"])
        #expect(plan.files.map(\.path) == ["plugin.json", "img/a.svg"])
    }

    @Test func anArchiveWithoutAFolderAtTheTopIsTakenAsItIs() throws {
        let entries = ["plugin.json", "img/a.svg"].enumerated().map(Self.entry)

        let plan = try UnpackPlan(entries, archiveBytes: 100, subject: "it")

        #expect(plan.files.map(\.path) == ["plugin.json", "img/a.svg"])
    }

    @Test(arguments: ["p_linux_amd64", "p_darwin_arm64", "p_windows_amd64.exe"])
    func programsMayBeExecutedWhateverTheArchiveSays(_ name: String) throws {
        let plan = try UnpackPlan(
            ["x/plugin.json", "x/\(name)"].enumerated().map(Self.entry), archiveBytes: 100, subject: "it")

        #expect(plan.files.map(\.isExecutable) == [false, true])
    }

    private static func entry(_ index: Int, _ name: String) -> ArchiveEntry {
        ArchiveEntry(
            index: UInt64(index), name: Array(name.utf8), kind: name.hasSuffix("/") ? .folder : .file,
            isExecutable: false, packedBytes: 10, size: name.hasSuffix("/") ? 0 : 10, isEncrypted: false,
            isCommonMethod: true)
    }
}

extension Workplace {
    /// Everything around the plugins folder, to see that nothing is written there.
    func outside() throws -> Set<String> {
        Set(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
                $0 != "plugins" && $0 != "hostile"
            })
    }

    /// An installer for the plugins folder.
    func withInstaller<Value>(
        allowsUnsigned: Bool = true, _ work: (CatalogSession) async throws -> Value
    ) async throws -> Value {
        var configuration = CatalogConfiguration(
            folder: PluginsFolder(path: plugins.path), target: InstallTarget(serverVersion: "12.4.0"))
        configuration.trust.use(folder: trust.path)
        configuration.trust.allowsUnsigned = allowsUnsigned
        return try await CatalogSession.with(configuration, work)
    }
}
