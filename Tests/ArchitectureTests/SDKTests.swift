// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// grafana/sdk.h, judged by pyarrow and valgrind.
struct SDKTests {
    @Test func builtFramesAreWhatPyarrowReads() throws {
        let python = Repository.root.appending(path: ".build/test-venv/bin/python")
        try #require(FileManager.default.isExecutableFile(atPath: python.path), "run 'make deps' first")

        let check = try Repository.run(python, [Repository.root.appending(path: "abi/sdk_frames.py").path])

        #expect(check.status == 0, "\(check.output)")
    }

    @Test(arguments: [
        "{}", #"{"amplitude":2,"period":60}"#, #"{"period":-1}"#, "not JSON",
    ])
    func helloLeaksNothing(_ query: String) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "trial-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let include = Repository.root.appending(path: "include").path
        let trial = folder.appending(path: "trial").path
        let hello = folder.appending(path: "hello.so").path
        let compiler = URL(filePath: "/usr/bin/cc")
        let sources = (
            trial: Repository.root.appending(path: "abi/trial.c").path,
            hello: Repository.root.appending(path: "examples/plugins/hello-c/hello.c").path
        )
        let built = [
            try Repository.run(compiler, ["-g", "-I\(include)", sources.trial, "-o", trial, "-ljansson", "-ldl"]),
            try Repository.run(
                compiler, ["-g", "-I\(include)", "-shared", "-fPIC", sources.hello, "-o", hello, "-lm"]),
        ]
        try #require(built.allSatisfy { $0.status == 0 }, "\(built.map(\.output))")

        let run = try Repository.run(
            URL(filePath: "/usr/bin/valgrind"),
            ["-q", "--leak-check=full", "--error-exitcode=9", trial, hello, query])

        #expect(run.status == 0, "\(run.output)")
    }

    @Test func examplesExportTheEntryAlone() throws {
        for name in ["hello-c", "misbehaving-c"] {
            let folder = Repository.root.appending(path: ".build/examples/\(name)")
            let library = try #require(
                FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasSuffix(".so") },
                "run 'make examples' first")

            let symbols = try Repository.run(
                URL(filePath: "/usr/bin/nm"), ["-D", "--defined-only", folder.appending(path: library).path])

            #expect(symbols.output.split(separator: "\n").count == 1, "\(symbols.output)")
            #expect(symbols.output.contains(" T gf_entry_v1"))
        }
    }
}
