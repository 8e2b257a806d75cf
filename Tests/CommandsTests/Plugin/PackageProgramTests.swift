// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Testing

/// The built `grafana-plugin package`.
struct PackageProgramTests {
    /// A folder with a plugin to package; removed with the value.
    private final class Workbench {
        let folder: URL
        var plugin: URL { folder.appending(path: "plugin") }
        private let program: URL

        /// The program that is packed is the one beside `grafana-plugin`: here a small one.
        static let served = "#!/bin/sh\nexit 3\n"

        init() throws {
            let built = try Program.url("grafana-plugin")
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            // On the file system of the program, of which there is a second name in it and no copy.
            folder = built.deletingLastPathComponent().appending(path: "package-\(UUID().uuidString)")
            program = folder.appending(path: "bin/grafana-plugin")
            try FileManager.default.createDirectory(
                at: folder.appending(path: "bin"), withIntermediateDirectories: true)
            try FileManager.default.linkItem(at: built, to: program)
            let served = folder.appending(path: "bin/grafana-plugin-go")
            try Data(Self.served.utf8).write(to: served)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: served.path)
            try FileManager.default.copyItem(at: root.appending(path: ".build/examples/hello-c"), to: plugin)
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        func hideServingProgram() throws {
            try FileManager.default.removeItem(at: folder.appending(path: "bin/grafana-plugin-go"))
        }

        func write(_ name: String, _ text: String) throws {
            let file = plugin.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }

        func change(_ body: (inout JSONObject) -> Void) throws {
            let file = plugin.appending(path: "plugin.json")
            var object = try #require(try JSONValue(parsing: Array(Data(contentsOf: file))).object)
            body(&object)
            try Data(JSONValue.object(object).encoded().utf8).write(to: file)
        }

        func package(_ options: [String] = []) throws -> Program.Outcome {
            try Program.run(["package", plugin.path] + options, of: program)
        }

        /// What a program that is not ours says of an archive: a line for each entry, `MODE YEAR SIZE NAME`.
        func list(_ archive: String) throws -> [String] {
            try python(
                """
                import sys, zipfile
                for i in zipfile.ZipFile(sys.argv[1]).infolist():
                    print(oct(i.external_attr >> 16), i.date_time[0], i.file_size, i.filename)
                """, [archive]
            ).split(separator: "\n").map(String.init)
        }

        func text(_ name: String, in archive: String) throws -> String {
            try python(
                "import sys, zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())",
                [archive, name])
        }

        private func python(_ script: String, _ arguments: [String]) throws -> String {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/python3")
            process.arguments = ["-c", script] + arguments
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    @Test func aNativePackageIsTheFolderAndTheSameEachTime() throws {
        let bench = try Workbench()
        try bench.write("img/logo.svg", "<svg/>")
        try bench.write(".git/config", "secret")
        let (one, two) = (bench.folder.appending(path: "1.zip").path, bench.folder.appending(path: "2.zip").path)

        let outcome = try bench.package(["--output", one])
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        #expect(outcome.output.hasPrefix("packaged grafana-helloc-datasource 1.0.0 for native: 3 files, "))
        let names = try bench.list(one)
        #expect(names.map { $0.split(separator: " ")[0] } == ["0o100755", "0o100644", "0o100644"], "\(names)")
        #expect(names.allSatisfy { $0.contains(" 1980 ") }, "\(names)")
        #expect(
            names.compactMap { $0.split(separator: " ").last } == [
                "grafana-helloc-datasource/hello_linux_\(machine).so", "grafana-helloc-datasource/img/logo.svg",
                "grafana-helloc-datasource/plugin.json",
            ])

        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1_000_000_000)],
            ofItemAtPath: bench.plugin.appending(path: "plugin.json").path)
        _ = try bench.package(["--output", two])
        #expect(try Data(contentsOf: URL(filePath: one)) == Data(contentsOf: URL(filePath: two)))
    }

    @Test func aPackageForGrafanaHasAProgram() throws {
        let bench = try Workbench()
        try bench.write("module.js", "define([], function () {});")
        try bench.write("MANIFEST.txt", "of another package")
        try bench.change { object in
            object["permissions"] = ["hosts": ["example.com"]]
            object["isolation"] = "sandbox"
        }
        let archive = bench.folder.appending(path: "g.zip").path

        let outcome = try bench.package(["--target", "grafana", "-o", archive])

        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.errors.contains("warning: \"info.logos.small\" is missing"), "\(outcome.errors)")
        #expect(outcome.errors.contains("warning: MANIFEST.txt is left out"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("module.js"), "\(outcome.errors)")
        let root = "grafana-helloc-datasource"
        let entries = try bench.list(archive)
        #expect(
            entries.compactMap { $0.split(separator: " ").last.map(String.init) } == [
                "\(root)/gpx_hello.json", "\(root)/gpx_hello_linux_\(machine)", "\(root)/hello_linux_\(machine).so",
                "\(root)/module.js", "\(root)/plugin.json",
            ])
        #expect(entries[1].hasPrefix("0o100755"))
        #expect(try bench.text("\(root)/gpx_hello_linux_\(machine)", in: archive) == Workbench.served)
        let grafana = try JSONValue(parsing: bench.text("\(root)/plugin.json", in: archive))
        #expect(grafana["executable"]?.string == "gpx_hello" && grafana["backend"]?.bool == true)
        for key in ["library", "abi", "permissions", "isolation"] { #expect(grafana[key] == nil, "\(key)") }
        let own = try JSONValue(parsing: bench.text("\(root)/gpx_hello.json", in: archive))
        #expect(own["library"]?.string == "hello" && own["permissions"]?["hosts"]?[0]?.string == "example.com")
    }

    @Test func allThatGrafanaWouldRefuseIsNamedAtOnce() throws {
        let bench = try Workbench()
        try bench.change { object in
            object["id"] = "Hello_C"
            object["name"] = nil
            object["info"] = ["version": "1.0", "updated": "today", "logos": ["small": "img/none.svg"]]
            object["dependencies"] = ["grafanaDependency": "newest"]
        }

        let outcome = try bench.package(["--target", "grafana"])

        #expect(outcome.status == 65 && outcome.output.isEmpty)
        for part in [
            "error: plugin 'Hello_C'", "make it <organisation>-<name>-datasource", "\"name\" is missing",
            "\"info.version\" is \"1.0\"; give a semantic version", "\"info.updated\" is \"today\"",
            "\"info.keywords\" is empty", "names 'img/none.svg', which is not in the folder",
            "\"dependencies.grafanaDependency\" is \"newest\"; give the versions of Grafana",
        ] {
            #expect(outcome.errors.contains(part), "\(part) in \(outcome.errors)")
        }
        #expect(
            try bench.package(["--output", bench.folder.appending(path: "n.zip").path]).status == 0, "native takes it")
    }

    @Test(arguments: ["native", "grafana"])
    func whatCannotBeLoadedIsNotPackaged(_ target: String) throws {
        let bench = try Workbench()
        let options = ["--target", target, "--output", bench.folder.appending(path: "x.zip").path]
        let library = bench.plugin.appending(path: "hello_linux_\(machine).so")
        var bytes = try Data(contentsOf: library)
        bytes[18] = 0xF3
        try bytes.write(to: library)
        let foreign = try bench.package(options)
        #expect(foreign.status == 65 && foreign.errors.contains("[library-wrong-architecture]"), "\(foreign)")

        try FileManager.default.removeItem(at: library)
        let missing = try bench.package(options)
        #expect(missing.status == 65 && missing.errors.contains("[library-missing]"), "\(missing)")

        try bench.write("plugin.json", "{")
        let malformed = try bench.package(options)
        #expect(malformed.status == 65 && malformed.errors.contains("[plugin-json-malformed]"), "\(malformed)")

        try FileManager.default.removeItem(at: bench.plugin.appending(path: "plugin.json"))
        let nothing = try bench.package(options)
        #expect(nothing.status == 65 && nothing.errors.contains("there is no plugin.json"), "\(nothing)")
        let nowhere = try Program.run(["package", "/nowhere"] + options, of: "grafana-plugin")
        #expect(nowhere.status == 74, "\(nowhere)")
        #expect(!FileManager.default.fileExists(atPath: options[3]))
    }

    @Test func anArchiveThatCannotBeMadeIsExplained() throws {
        let bench = try Workbench()
        try bench.hideServingProgram()
        let lonely = try bench.package(["--target", "grafana"])
        #expect(lonely.status == 74 && lonely.errors.contains("the program grafana-plugin-go that serves"), "\(lonely)")
        let outcome = try bench.package(["--output", "/nowhere/x.zip"])
        #expect(outcome.status == 74 && outcome.errors.contains("'/nowhere/x.zip' cannot be written"), "\(outcome)")
        #expect(try bench.package(["--target", "windows"]).status == 64)
    }

    #if arch(x86_64)
    private let machine = "amd64"
    #else
    private let machine = "arm64"
    #endif
}
