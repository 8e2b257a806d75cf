// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Signing
import TestSupport
import Testing

@testable import PluginHost

/// Trust that is taken away or given back reaches plugins that run.
struct WithdrawnTrustTests {
    private static let id = "grafana-helloc-datasource"

    private let signer: TestSigner
    private let trust: CurrentTrust

    init() throws {
        signer = try TestSigner()
        trust = CurrentTrust(try TrustStore(keys: [signer.trusted()]))
    }

    private func run(_ body: (TestPlatform) async throws -> Void) async throws {
        let test = try TestPlatform(
            examples: ["hello-c"], isDevelopment: false, verifier: TrustVerifier(trust: trust))
        try signer.sign(test.folder["hello-c"])
        await test.platform.load()
        do { try await body(test) } catch { Issue.record(error) }
        await test.platform.shutDown()
    }

    private func change(_ test: TestPlatform, _ keys: [TrustedKey], _ list: RevocationList = .init()) async throws {
        trust.replace(with: try TrustStore(keys: keys, revocations: list))
        await test.platform.trustChanged()
    }

    private func health(_ test: TestPlatform) async throws -> String {
        try await test.platform.checkHealth(of: test.source(Self.id), facts: CallFacts()).message
    }

    @Test func aPluginWhoseKeyWasRemovedEndsAndComesBack() async throws {
        try await run { test in
            #expect(try await health(test) == "Hello from C")

            try await change(test, [])
            let refusal = test.platform.refusals.first
            #expect(test.platform.plugin(id: Self.id) == nil)
            #expect(refusal?.code == .signatureInvalid && refusal?.signature?.code == .keyUnknown)
            let error = await #expect(throws: PluginError.self) { try await health(test) }
            #expect(error?.code == .notFound && error?.message.contains("there is no public key") == true)

            try await change(test, [signer.trusted()])
            #expect(try await health(test) == "Hello from C")
            #expect(test.platform.refusals == [])
        }
    }

    @Test func revokedKeysAndFilesEndARunningPlugin() async throws {
        try await run { test in
            var list = RevocationList()
            list.serial = 1
            list.keys = [.init(subject: signer.key.fingerprint, reason: "stolen")]
            try await change(test, [signer.trusted()], list)
            #expect(test.platform.refusals.first?.signature?.code == .keyRevoked)

            list.keys = []
            try await change(test, [signer.trusted()], list)
            #expect(try await health(test) == "Hello from C")

            let library = test.folder["hello-c/hello_\(Platform.current).so"]
            list.files = [.init(subject: try FileHasher.digest(ofFile: library).hexadecimal, reason: "a back door")]
            try await change(test, [signer.trusted()], list)
            #expect(test.platform.plugin(id: Self.id) == nil)
            #expect(test.platform.refusals.first?.signature?.code == .fileRevoked)
            #expect(test.platform.refusals.first?.message.contains("a back door") == true)
        }
    }

    /// What runs is judged by what was verified, not by what somebody put on the disk since.
    @Test func aChangedFolderNeitherSavesNorEndsWhatRuns() async throws {
        try await run { test in
            try test.folder.write("hello-c/evil.js", "x")
            try await change(test, [signer.trusted(plugins: ["grafana-*"])])
            #expect(test.platform.plugin(id: Self.id)?.state == .running)
            #expect(test.platform.refusals.map(\.code) == [.signatureModified])

            try await change(test, [])
            #expect(test.platform.plugin(id: Self.id) == nil)
        }
    }

    @Test func anotherGrantedLevelStartsThePluginAgain() async throws {
        try await run { test in
            let before = test.platform.plugin(id: Self.id)
            try await change(test, [signer.trusted(), TestSigner("Other").trusted()])
            #expect(test.platform.plugin(id: Self.id)?.generation == before?.generation)

            // Also when its folder could not be loaded any more.
            try test.folder.write("hello-c/evil.js", "x")
            try await change(test, [signer.trusted(level: .process)])
            let after = test.platform.plugin(id: Self.id)
            #expect(before?.level == .inProcess && after?.level == .process)
            #expect(after?.signature.level == .process && after?.generation != before?.generation)
            #expect(try await health(test) == "Hello from C")
        }
    }

    @Test func anUnsignedPluginEndsWhenItsLibraryIsRevoked() async throws {
        let test = try TestPlatform(examples: ["hello-c"], verifier: TrustVerifier(trust: trust))
        await test.platform.load()
        #expect(test.platform.plugin(id: Self.id)?.signature.status == .unsigned)
        var list = RevocationList()
        list.serial = 1
        let library = test.folder["hello-c/hello_\(Platform.current).so"]
        list.files = [.init(subject: try FileHasher.digest(ofFile: library).hexadecimal, reason: "a back door")]

        try await change(test, [], list)

        #expect(test.platform.plugin(id: Self.id) == nil)
        #expect(test.platform.refusals.first?.signature?.code == .fileRevoked)
        #expect(test.platform.plugin(id: "probe-datasource")?.state == .running)
        await test.platform.shutDown()
    }

    @Test func aCallThatRunsIsAnsweredAlthoughThePluginIsWithdrawn() async throws {
        try await run { test in
            let events = try await test.platform.queryData(
                [test.query(#"{"amplitude": 2}"#)], of: test.source(Self.id), facts: CallFacts())

            try await change(test, [])

            let answer = try await Answer(events)
            #expect(answer.error == nil && answer.frames.first?.rowCount == 100)
        }
    }
}
