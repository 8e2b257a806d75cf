// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Glibc
import Logging
import PluginHost
import Signing

/// The start with fifty plugins: signed, and the same without signatures.
struct SignatureBench {
    /// A folder of its own.
    let folder: String

    private static let plugins = 50
    private static let files = 40
    private static let fileBytes = 50_000
    private static let rounds = 9

    func run() async throws {
        let key = try SecretKey.generate(
            .p521, owner: "Bench <bench@localhost>", passphrase: "", lifetimeSeconds: 0, time: Self.now)
        let trusted = TrustedKey(
            try PublicKey(parsing: Array(key.publicKey.utf8)), plugins: ["*"], types: [.privatePlugin],
            level: .process, grantedBy: "the benchmark")
        try makePlugins(signedWith: SecretKey(parsing: Array(key.secret.utf8), time: Self.now) { "" })
        let trust = CurrentTrust(try TrustStore(keys: [trusted]))
        // In turn, so that whatever else the machine does meets both.
        var signed = Timing()
        var unsigned = Timing()
        for _ in 0..<Self.rounds {
            try await load("\(folder)/signed", TrustVerifier(trust: trust), &signed)
            try await load("\(folder)/unsigned", TrustVerifier(trust: trust), &unsigned)
        }
        report("signed-start.nanoseconds", signed.median)
        report("unsigned-start.nanoseconds", unsigned.median)
        report("signed-start.bytes", Double(Self.plugins * Self.files * Self.fileBytes))
    }

    private static var now: Int64 { Int64(time(nil)) }

    private func load(_ path: String, _ verifier: TrustVerifier, _ timing: inout Timing) async throws {
        var loading = LoadingSettings()
        loading.isDevelopment = true
        let platform = PluginPlatform(
            configuration: PlatformConfiguration(pluginsFolder: path, loading: loading, serverVersion: "13.0.0"),
            builtins: [], keyValues: MemoryKeyValues(),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() },
            verifier: verifier)
        let began = Timing.now
        await platform.load()
        timing.add(since: began)
        precondition(platform.plugins.count == Self.plugins, "\(platform.refusals)")
        await platform.shutDown()
    }

    private func makePlugins(signedWith key: SecretKey) throws {
        for number in 0..<Self.plugins {
            let id = "grafana-bench\(number)-panel"
            var listed: [String: String] = [:]
            for kind in ["signed", "unsigned"] {
                let place = "\(folder)/\(kind)/\(id)"
                try FileManager.default.createDirectory(atPath: place + "/img", withIntermediateDirectories: true)
                let descriptor = #"{"id":"\#(id)","type":"panel","name":"\#(id)","info":{"version":"1.0.0"}}"#
                listed["plugin.json"] = try Self.write(place + "/plugin.json", Array(descriptor.utf8))
                listed["module.js"] = try Self.write(place + "/module.js", [])
                for file in 2..<Self.files {
                    let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number &+ file), count: Self.fileBytes)
                    listed["img/\(file).png"] = try Self.write("\(place)/img/\(file).png", bytes)
                }
            }
            let entries = listed.sorted { $0.key < $1.key }.map { #""\#($0.key)": "\#($0.value)""# }
            let manifest = """
                {"manifestVersion": "2.0.0", "signatureType": "private", "signedByOrg": "bench", "signedByOrgName": "Bench",
                 "plugin": "\(id)", "version": "1.0.0", "time": \(Self.now * 1000), "keyId": "\(key.signingKeyID)",
                 "files": {\(entries.joined(separator: ", "))}}
                """
            _ = try Self.write("\(folder)/signed/\(id)/MANIFEST.txt", key.clearSign(manifest))
        }
    }

    private static func write(_ path: String, _ bytes: [UInt8]) throws -> String {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        precondition(file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count, "\(path): errno \(errno)")
        close(file)
        return FileHasher.digest(of: bytes).hexadecimal
    }
}
