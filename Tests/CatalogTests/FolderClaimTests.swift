// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import TestSupport
import Testing

@testable import Catalog

/// The right to change a plugins folder.
struct FolderClaimTests {
    @Test func aSecondClaimNamesTheProcessThatHasTheFirst() throws {
        let place = try Workplace()
        let folder = PluginsFolder(path: place.plugins.path)
        let first = try FolderClaim(folder)

        let error = try withExtendedLifetime(first) {
            try #require(throws: CatalogError.self) { try FolderClaim(folder) }
        }

        #expect(error.code == .folderBusy)
        #expect(error.message.contains("(pid \(getpid()))"))
    }

    /// A program that is just being started has a copy of every descriptor until it is executed.
    @Test func aClaimEndsAlsoWhenAChildHasItsDescriptor() throws {
        let place = try Workplace()
        let folder = PluginsFolder(path: place.plugins.path)
        var claim: FolderClaim? = try FolderClaim(folder)
        let inherited = try OpenFiles.descriptors(of: "\(folder.workspace)/lock").map { dup($0) }
        defer { for descriptor in inherited { close(descriptor) } }

        withExtendedLifetime(claim) {}
        claim = nil

        #expect(inherited.count == 1)
        #expect(throws: Never.self) { try FolderClaim(folder) }
    }

    @Test func aClaimThatFailsLeavesNoDescriptorAndNoLock() throws {
        let place = try Workplace()
        let folder = PluginsFolder(path: place.plugins.path)
        try place.clearUp()
        try place.write("this is no journal", to: "plugins/.catalog/journal.json")

        let error = try #require(throws: CatalogError.self) { try FolderClaim(folder) }
        let left = try OpenFiles.descriptors(of: "\(folder.workspace)/lock")
        try FileManager.default.removeItem(atPath: folder.journal)

        #expect(error.code == .folderFailed)
        #expect(left.isEmpty)
        #expect(throws: Never.self) { try FolderClaim(folder) }
    }
}
