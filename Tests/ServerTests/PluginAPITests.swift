// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOHTTP1
import PluginABI
import PluginHost
import Storage
import Testing

@testable import Server

struct PluginAPITests {
    @Test func theListHasThePluginsThatRun() async throws {
        try await TestServer.run { server async throws in
            let all = try await server.get("/api/plugins").json.array ?? []
            let panels = try await server.get("/api/plugins?type=panel&core=0").json.array ?? []
            let item = all.first { $0["id"]?.string == "acme-probe-datasource" }

            #expect(all.contains { $0["id"] == "grafana-testdata-datasource" })
            #expect(panels.map { $0["id"]?.string } == ["acme-clock-panel"])
            #expect(item?["signature"]?.string == "internal" && item?["signatureType"]?.string == "core")
            #expect(item?["enabled"]?.bool == true && item?["info"]?["version"]?.string == "1.0.0")
            #expect(item?["info"]?["author"]?["name"]?.string == "Acme")
            #expect(item?["status"]?["state"]?.string == "running" && item?["status"]?["level"]?.string == "linked")
        }
    }

    @Test func viewersSeeWhatIsPartOfTheServer() async throws {
        try await TestServer.run { server async throws in
            _ = try await server.stores.users.create(NewUser(login: "vera", password: Secret("vera1")))

            let ids = try await server.get("/api/plugins", user: "vera:vera1").json.array?.map { $0["id"]?.string }

            #expect(ids?.contains("acme-probe-datasource") == true && ids?.contains("acme-clock-panel") == false)
        }
    }

    @Test func refusalsSayReasonAndRemedy() async throws {
        try await TestServer.run { server async throws in
            let errors = try await server.get("/api/plugins/errors").json
            let settings = try await server.get("/api/plugins/acme-refused-panel/settings")

            #expect(errors.array?.count == 1)
            #expect(errors[0]?["pluginId"]?.string == "acme-refused-panel")
            #expect(errors[0]?["errorCode"]?.string == "signatureMissing")
            #expect(errors[0]?["remedy"]?.string?.isEmpty == false && errors[0]?["code"]?.string == "signature-missing")
            #expect(settings.status == 500 && settings.message == "Plugin signature is missing")
        }
    }

    @Test func settingsAreSavedWithoutShowingSecrets() async throws {
        try await TestServer.run { server async throws in
            let path = "/api/plugins/acme-clock-panel/settings"

            let saved = try await server.send(
                .POST, path,
                ["enabled": true, "pinned": true, "jsonData": ["a": 1], "secureJsonData": ["key": "s3cret"]])
            let read = try await server.get(path)

            #expect(saved.message == "Plugin settings updated")
            #expect(read.json["pinned"]?.bool == true && read.json["jsonData"] == ["a": 1])
            #expect(read.json["secureJsonFields"] == ["key": true] && !read.text.contains("s3cret"))
            #expect(read.json["module"]?.string?.hasSuffix("module.js") == true)
            let unknown = try await server.get("/api/plugins/nope/settings")
            #expect(unknown.status == 404 && unknown.message == "Plugin not found, no installed plugin with that id")
            #expect(try await server.send(.POST, "/api/plugins/nope/settings", [:]).message == "Plugin not installed")
        }
    }

    @Test func aPluginIsSwitchedOffAndOn() async throws {
        try await TestServer.run { server async throws in
            try await server.addProbe()
            let base = "/api/plugins/acme-probe-datasource"

            #expect(try await server.send(.POST, base + "/disable").message == "Plugin disabled")
            #expect(try await server.get(base + "/health").status == 503)
            #expect(try await server.get("/api/datasources/uid/probe/health").status == 503)
            #expect(try await server.send(.POST, base + "/enable").message == "Plugin enabled")
            #expect(try await server.get(base + "/health").json["status"]?.string == "OK")
            #expect(try await server.get("/api/datasources/uid/probe/health").status == 200)
            #expect(try await server.send(.POST, "/api/plugins/nope/enable").status == 404)
        }
    }

    @Test func aNewFolderIsLoadedByReload() async throws {
        try await TestServer.run { server async throws in
            let folder = server.folder + "/plugins"
            try FileManager.default.removeItem(atPath: folder + "/acme-refused-panel")
            try FileManager.default.removeItem(atPath: folder + "/acme-clock-panel/passwd.txt")

            let all = try await server.send(.POST, "/api/plugins/reload")
            let core = try await server.send(.POST, "/api/plugins/acme-probe-datasource/reload")
            let one = try await server.send(.POST, "/api/plugins/acme-clock-panel/reload")

            #expect(all.status == 200 && all.json["refusals"] == [])
            #expect(core.status == 403 && core.message == "Cannot install or change a Core plugin")
            #expect(one.status == 200)
        }
    }

    @Test func metricsAndHealthOfPluginsWithoutBackend() async throws {
        try await TestServer.run { server async throws in
            #expect(try await server.get("/api/plugins/acme-probe-datasource/metrics").status == 200)
            #expect(try await server.get("/api/plugins/nope/metrics").message == "Plugin not registered")
            #expect(try await server.get("/api/plugins/acme-clock-panel/metrics").status == 500)
            let panel = try await server.get("/api/plugins/acme-clock-panel/health")
            #expect(panel.status == 500 && panel.message == "Plugin unavailable")
            #expect(try await server.get("/api/plugins/nope/health").message == "Plugin not found")
        }
    }

    @Test func onlyServerAdministratorsChangePlugins() async throws {
        try await TestServer.run { server async throws in
            _ = try await server.stores.users.create(NewUser(login: "ann", password: Secret("annie"), role: .admin))

            for path in ["reload", "acme-clock-panel/disable", "acme-clock-panel/reload"] {
                #expect(try await server.send(.POST, "/api/plugins/\(path)", user: "ann:annie").status == 403)
            }
        }
    }
}

struct PluginFileTests {
    @Test func filesHaveTypeTagAndLifetime() async throws {
        try await TestServer.run { server async throws in
            let answer = try await server.get("/public/plugins/acme-clock-panel/module.js", user: nil)
            let tag = answer.headers.first(name: "etag") ?? ""
            let again = try await server.get(
                "/public/plugins/acme-clock-panel/module.js", headers: [("if-none-match", tag)], user: nil)

            #expect(answer.status == 200 && answer.text == "define([],()=>{})")
            #expect(answer.headers.first(name: "content-type") == "text/javascript; charset=utf-8")
            #expect(answer.headers.first(name: "cache-control") == "public, max-age=3600")
            #expect(answer.headers.first(name: "x-content-type-options") == "nosniff")
            #expect(again.status == 304)
        }
    }

    @Test(arguments: [
        "/public/plugins/acme-clock-panel/../acme-refused-panel/module.js",
        "/public/plugins/acme-clock-panel/%2e%2e/acme-refused-panel/module.js",
        "/public/plugins/acme-clock-panel/..%2facme-refused-panel/module.js",
        "/public/plugins/acme-clock-panel/%2e%2e%2f%2e%2e%2fgrafana.db", "/public/plugins/acme-clock-panel//etc/passwd",
        "/public/plugins/acme-clock-panel/passwd.txt", "/public/plugins/acme-clock-panel/module.js%00.png",
        "/public/plugins/acme-clock-panel/%ff", "/public/plugins/acme-clock-panel/img",
        "/public/plugins/acme-clock-panel/", "/public/plugins/acme-refused-panel/module.js",
        "/public/plugins/acme-clock-panel/gpx_clock_linux_amd64",
        "/public/plugins/acme-clock-panel/%67px_clock%5flinux_amd64",
        "/public/plugins/acme-clock-panel/./gpx_clock_linux_amd64", "/public/plugins/acme-clock-panel/img/logo.svg",
        "/public/plugins/acme-probe-datasource/plugin.json", "/public/plugins/nope/module.js",
    ])
    func whatIsNotAFileOfThePluginIsNotThere(path: String) async throws {
        try await TestServer.run { server async throws in
            let connection = try RawConnection(port: server.port)
            connection.send("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

            let text = await connection.readText()

            #expect(text.hasPrefix("HTTP/1.1 404"), "\(text)")
            #expect(!text.contains("root:") && !text.contains("define("))
        }
    }

    @Test func librariesAndExecutablesAreKnownByTheirNames() {
        let binaries = PluginBinaries(library: "./lib/clock", executable: "gpx_clock")

        for path in [
            "lib/clock_linux_amd64.so", "lib/clock_linux_arm64.so", "lib/clock.so.1", "lib/clock", "gpx_clock",
            "gpx_clock_linux_amd64", "gpx_clock_darwin_arm64", "gpx_clock_windows_amd64.exe",
        ] {
            #expect(binaries.matches(path), "\(path)")
        }
        for path in ["module.js", "lib/clock.svg", "lib/other.so", "gpx_clock.md", "img/gpx_clock", "plugin.json"] {
            #expect(!binaries.matches(path), "\(path)")
        }
        #expect(!PluginBinaries(library: "", executable: "").matches("module.js"))
    }
}
