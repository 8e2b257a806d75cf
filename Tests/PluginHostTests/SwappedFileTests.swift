// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Signing
import Synchronization
import TestSupport
import Testing

@testable import PluginHost

/// What was verified is what is loaded: a file that somebody swaps on the way is never executed.
struct SwappedFileTests {
    private static let id = "grafana-helloc-datasource"
    private static let library = "hello-c/hello_\(Platform.current).so"

    /// When the file is swapped.
    enum Moment: CaseIterable {
        /// Before the server reads it, after it was signed.
        case beforeReading
        /// After it was read into sealed memory, before its signature is judged.
        case beforeVerification
        /// After the signature was found good, before the code is opened.
        case beforeOpening
    }

    /// How it is swapped.
    enum Manner: CaseIterable {
        case rename, symlink
        /// Other bytes into the same inode.
        case write
    }

    /// The real verifier, with somebody at work before or after it.
    private struct Intruder: SignatureVerifier {
        let verifier: TrustVerifier
        let moment: Moment
        let swap: @Sendable () -> Void

        func signature(of bundle: [PluginCandidate]) -> PluginSignature {
            if moment == .beforeVerification { swap() }
            defer { if moment == .beforeOpening { swap() } }
            return verifier.signature(of: bundle)
        }

        func rejudge(_ signature: PluginSignature, sealed: [SealedImage]) -> PluginSignature {
            verifier.rejudge(signature, sealed: sealed)
        }
    }

    /// A library that leaves a mark as soon as it is opened.
    private static func evilLibrary(mark: String) throws -> [UInt8] {
        try LoadingLibrary.compile(
            """
            #include <fcntl.h>
            __attribute__((constructor)) static void run(void) { open("\(mark)", O_CREAT | O_WRONLY, 0600); }
            \(LoadingLibrary.entry)
            """)
    }

    private static func swap(_ path: String, with evil: String, _ manner: Manner) throws {
        switch manner {
        case .rename:
            guard rename(evil, path) == 0 else { throw FileError(operation: "rename", path: path, number: errno) }
        case .symlink:
            guard unlink(path) == 0, symlink(evil, path) == 0 else {
                throw FileError(operation: "link", path: path, number: errno)
            }
        case .write:
            let file = try FileHandle(forUpdating: URL(filePath: path))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data(contentsOf: URL(filePath: evil)))
            try file.close()
        }
    }

    @Test(arguments: Moment.allCases, Manner.allCases)
    func aSwappedLibraryIsNeverExecuted(moment: Moment, manner: Manner) async throws {
        let outside = try LoadingFolder()
        let mark = outside["executed"]
        let evil = try outside.write("evil.so", bytes: Self.evilLibrary(mark: mark))
        let signer = try TestSigner()
        let trust = CurrentTrust(try TrustStore(keys: [signer.trusted()]))
        let target = Target()
        let verifier = Intruder(verifier: TrustVerifier(trust: trust), moment: moment) {
            guard let path = target.take() else { return }
            do { try Self.swap(path, with: evil, manner) } catch { Issue.record(error) }
        }
        let test = try TestPlatform(examples: ["hello-c"], isDevelopment: false, verifier: verifier)
        try signer.sign(test.folder["hello-c"])
        if moment == .beforeReading {
            try Self.swap(test.folder[Self.library], with: evil, manner)
        } else {
            target.set(test.folder[Self.library])
        }

        await test.platform.load()

        let refusal = test.platform.refusals.first
        if moment == .beforeReading {
            #expect(test.platform.plugin(id: Self.id) == nil)
            #expect(refusal?.code == (manner == .symlink ? .fileOutsideFolder : .signatureModified))
        } else {
            #expect(refusal == nil, "\(refusal?.description ?? "")")
            let health = try await test.platform.checkHealth(of: test.source(Self.id), facts: CallFacts())
            #expect(health == HealthResult(.ok, "Hello from C"))
        }
        #expect(!FileManager.default.fileExists(atPath: mark))
        await test.platform.shutDown()
    }

    /// The counterpart: the mark is left where nothing is checked, so that its absence above says something.
    @Test func theEvilLibraryWouldLeaveItsMark() throws {
        let outside = try LoadingFolder()
        let evil = try outside.write("evil.so", bytes: Self.evilLibrary(mark: outside["executed"]))

        let handle = dlopen(evil, RTLD_NOW | RTLD_LOCAL)

        #expect(handle != nil && FileManager.default.fileExists(atPath: outside["executed"]))
    }

    @Test func aSwappedDescriptionIsNotWhatCounts() async throws {
        let signer = try TestSigner()
        let trust = CurrentTrust(try TrustStore(keys: [signer.trusted()]))
        let target = Target()
        let verifier = Intruder(verifier: TrustVerifier(trust: trust), moment: .beforeVerification) {
            guard let path = target.take() else { return }
            do {
                let text = try String(contentsOfFile: path, encoding: .utf8)
                try text.replacing("Hello from C", with: "Evil").write(toFile: path, atomically: true, encoding: .utf8)
            } catch {
                Issue.record(error)
            }
        }
        let test = try TestPlatform(examples: ["hello-c"], isDevelopment: false, verifier: verifier)
        try signer.sign(test.folder["hello-c"])
        target.set(test.folder["hello-c/plugin.json"])

        await test.platform.load()

        // What was decoded is what was judged, and it was signed.
        #expect(test.platform.plugin(id: Self.id)?.name == "Hello from C")
        await test.platform.reload()
        #expect(test.platform.refusals.map(\.code) == [.signatureModified])
        await test.platform.shutDown()
    }

    @Test func aFileThatBrowsersGetIsComparedWithItsSignature() async throws {
        let signer = try TestSigner()
        let trust = CurrentTrust(try TrustStore(keys: [signer.trusted()]))
        let test = try TestPlatform(
            examples: ["hello-c"], isDevelopment: false, verifier: TrustVerifier(trust: trust))
        try test.folder.write("hello-c/img/logo.svg", "<svg/>")
        try signer.sign(test.folder["hello-c"])
        await test.platform.load()
        let plugin = try #require(test.platform.plugin(id: Self.id))
        let files = VerifiedFiles()

        func text(_ path: String) throws -> String? {
            try files.image(of: path, in: plugin)?.withBytes { String(decoding: $0, as: UTF8.self) }
        }
        let first = try files.image(of: "img/logo.svg", in: plugin)
        let second = try files.image(of: "./img//logo.svg", in: plugin)
        #expect(try text("img/logo.svg") == "<svg/>" && first === second)
        #expect(try text("MANIFEST.txt")?.contains("BEGIN PGP SIGNED MESSAGE") == true)
        try test.folder.write("hello-c/late.js", "evil")
        #expect(try text("late.js") == nil && text("../plugin.json") == nil && text("img") == nil)
        try test.folder.write("hello-c/plugin.json", #"{"id": "evil"}"#)
        let refusal = #expect(throws: PluginRefusal.self) { _ = try text("plugin.json") }
        #expect(refusal?.code == .signatureModified && refusal?.found != refusal?.expected)
        await test.platform.shutDown()
    }
}

/// The file that is swapped, at most once.
private final class Target: Sendable {
    private let path = Mutex<String?>(nil)

    func set(_ path: String) { self.path.withLock { $0 = path } }

    func take() -> String? {
        path.withLock { path in
            defer { path = nil }
            return path
        }
    }
}
