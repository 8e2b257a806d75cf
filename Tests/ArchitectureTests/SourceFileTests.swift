// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// What style asks of every source file, where a program can tell.
struct SourceFileTests {
    static let code: Set<String> = ["swift", "c", "h", "cpp", "py", "sh"]

    @Test(arguments: Repository.sourceFolders)
    func everyFileNamesItsLicence(_ folder: String) throws {
        for file in Repository.files(in: folder, extensions: Self.code) {
            let head = try Repository.lines(file).prefix(3).joined(separator: "\n")
            #expect(head.contains("SPDX-License-Identifier: Apache-2.0"), "\(file)")
        }
    }

    @Test(arguments: Repository.sourceFolders)
    func noFileIsLongerThan500Lines(_ folder: String) throws {
        for file in Repository.files(in: folder, extensions: Self.code) {
            // What protoc wrote is read by nobody.
            if file.hasSuffix(".pb.swift") { continue }
            let count = try Repository.lines(file).count - 1
            #expect(count <= 500, "\(file) has \(count) lines")
        }
    }

    @Test(arguments: Repository.sourceFolders)
    func noLineOfCOrHeaderIsLongerThan120Columns(_ folder: String) throws {
        for file in Repository.files(in: folder, extensions: ["c", "h"]) {
            for (index, line) in try Repository.lines(file).enumerated() {
                #expect(line.count <= 120, "\(file):\(index + 1)")
            }
        }
    }

    @Test func theHelloPluginIsOneShortFile() throws {
        #expect(try Repository.lines("examples/plugins/hello-c/hello.c").count - 1 <= 60)
    }
}
