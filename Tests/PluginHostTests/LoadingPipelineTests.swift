// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Signing
import Testing

@testable import PluginHost

struct LoadingPipelineTests {
    private let folder: LoadingFolder
    private let library: [UInt8]

    init() throws {
        folder = try LoadingFolder()
        library = try LoadingLibrary.minimal.get()
    }

    private func writeSine(_ bytes: [UInt8]?, id: String = "acme-sine-datasource", _ members: String = "") throws {
        let rest = members.isEmpty ? "" : ", " + members
        try folder.writePlugin(id, id: id, #""backend": true, "library": "sine""# + rest)
        if let bytes { try folder.write("\(id)/\(LoadingLibrary.fileName)", bytes: bytes) }
    }

    private func refusal(_ pipeline: LoadingPipeline = .permissive()) async throws -> PluginRefusal {
        let prepared = await pipeline.prepare(folder)
        #expect(prepared.validated.isEmpty)
        #expect(prepared.refusals.count == 1)
        return try #require(prepared.refusals.first)
    }

    @Test func aGoodPluginIsSealedAndDescribed() async throws {
        try writeSine(library, #""info": {"version": "1.0.0", "logos": {"small": "img/a.svg"}}"#)

        let prepared = await LoadingPipeline.permissive().prepare(folder)

        let plugin = try #require(prepared.validated.first)
        #expect(prepared.refusals.isEmpty)
        #expect(plugin.signature.status == .unsigned)
        #expect(plugin.elf?.entryPoints == ["gf_entry_v1"])
        #expect(plugin.assets.baseURL == "/public/plugins/acme-sine-datasource")
        #expect(plugin.assets.module == "/public/plugins/acme-sine-datasource/module.js")
        #expect(plugin.assets.smallLogo == "/public/plugins/acme-sine-datasource/img/a.svg")
        #expect(plugin.assets.largeLogo == "/public/img/icn-datasource.svg")
        #expect(plugin.warnings.map(\.code) == ["unsigned-allowed"])
        let image = try #require(plugin.image)
        #expect(image.size == library.count)
        #expect(image.path.hasPrefix("/proc/self/") && image.path.hasSuffix("/fd/\(image.descriptor)"))
        #expect(try image.withBytes { Array($0) } == library)
    }

    @Test func aSealedImageCannotBeWritten() async throws {
        try writeSine(library)
        let prepared = await LoadingPipeline.permissive().prepare(folder)
        let image = try #require(prepared.validated.first?.image)

        let written = pwrite(image.descriptor, "x", 1, 0)

        #expect(written == -1)
        #expect(errno == EPERM)
        #expect(ftruncate(image.descriptor, 0) == -1)
    }

    /// Descriptor numbers are used again, and the dynamic linker knows libraries by their paths.
    @Test func eachImageOpensAsALibraryOfItsOwn() throws {
        let path = try folder.write("own.so", bytes: library)
        var paths: Set<String> = []
        var handles: Set<UnsafeMutableRawPointer> = []

        for _ in 0..<5 {
            let image = try SealedImage(reading: path)
            paths.insert(image.path)
            if let handle = dlopen(image.path, RTLD_NOW | RTLD_LOCAL) { handles.insert(handle) }
        }

        #expect(paths.count == 5 && handles.count == 5)
        #expect(handles.allSatisfy { dlsym($0, "gf_entry_v1") != nil })
    }

    @Test func anImageIsClosedWithItsLastReference() throws {
        let path = try folder.write("closed.so", bytes: library)
        var image: SealedImage? = try SealedImage(reading: path)
        let descriptor = try #require(image?.descriptor)
        let origin = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")

        image = nil

        let now = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
        #expect(origin.contains("memfd:closed.so"))
        #expect(now != origin)
    }

    @Test func aLibraryThatIsTooLargeOrNoFileIsAnError() throws {
        let path = try folder.write("x.so", bytes: library)
        mkfifo(folder["fifo"], 0o600)

        let tooLarge = #expect(throws: FileError.self) { try SealedImage(reading: path, limit: 100) }
        let fifo = #expect(throws: FileError.self) { try SealedImage(reading: folder["fifo"]) }

        #expect(tooLarge?.number == EFBIG)
        #expect(fifo?.number == EISDIR)
    }

    @Test func unsignedPluginsNeedASetting() async throws {
        try writeSine(library)
        var settings = LoadingSettings()

        let refused = try await refusal(LoadingPipeline(settings: settings))
        settings.unsignedIDs = ["acme-sine-datasource"]
        let allowed = await LoadingPipeline(settings: settings).prepare(folder)

        #expect(refused.code == .signatureMissing)
        #expect(refused.grafanaErrorCode == "signatureMissing")
        #expect(refused.grafanaMessage == "Plugin signature is missing")
        #expect(refused.remedy.contains("allow_loading_unsigned_plugins"))
        #expect(allowed.validated.count == 1)
    }

    @Test func nestedPluginsMustBeAllowedThemselves() async throws {
        try folder.writePlugin("app", id: "acme-app", type: "app", #""info": {"version": "2.0.0"}"#)
        try folder.writePlugin("app/child", id: "acme-child-panel", type: "panel")
        var settings = LoadingSettings()
        settings.unsignedIDs = ["acme-app"]

        let first = await LoadingPipeline(settings: settings).prepare(folder)
        settings.unsignedIDs.insert("acme-child-panel")
        let second = await LoadingPipeline(settings: settings).prepare(folder)

        #expect(first.validated.map(\.id) == ["acme-app"])
        #expect(first.refusals.map(\.pluginID) == ["acme-child-panel"])
        let child = try #require(second.validated.last)
        #expect(child.parentID == "acme-app")
        #expect(child.includedInAppID == "acme-app")
        #expect(child.descriptor.info.version == "2.0.0")
        #expect(child.assets.module == "/public/plugins/acme-app/child/module.js")
        #expect(second.validated.first?.childIDs == ["acme-child-panel"])
    }

    @Test func developmentDoesNotRescueAnInvalidSignature() async throws {
        try writeSine(library)
        try folder.write("acme-sine-datasource/MANIFEST.txt", "-----BEGIN PGP SIGNED MESSAGE-----")

        let refusal = try await refusal()

        #expect(refusal.code == .signatureInvalid)
        #expect(refusal.signature?.code == .manifestMalformed)
        #expect(refusal.grafanaErrorCode == "signatureInvalid")
    }

    @Test func corePluginsAreInternal() async throws {
        try folder.writePlugin("prometheus", id: "prometheus", #""backend": true"#)

        let prepared = await LoadingPipeline(settings: LoadingSettings())
            .prepare(sources: [.collection(path: folder.path, class: .core)])

        let plugin = try #require(prepared.validated.first)
        #expect(plugin.signature.status == .internal)
        #expect(plugin.assets.module == "core:plugin/prometheus")
        #expect(plugin.assets.baseURL == "/public/app/plugins/datasource/prometheus")
    }

    @Test func theVerifierSeesTheDigestsOfWhatWasSealed() async throws {
        try folder.writePlugin("app", id: "acme-app", type: "app")
        try folder.writePlugin(
            "app/sine", id: "acme-sine-datasource", #""backend": true, "library": "../lib/sine""#)
        try folder.write("app/lib/\(LoadingLibrary.fileName)", bytes: library)
        let pipeline = LoadingPipeline(settings: LoadingSettings(), verifier: SealTeller())

        let prepared = await pipeline.prepare(folder)

        func digest(_ path: String) throws -> String {
            SHA256.hash(data: try Data(contentsOf: URL(filePath: folder[path])))
                .map { String(format: "%02x", $0) }.joined()
        }
        let expected = try ["plugin.json", "sine/plugin.json", "lib/\(LoadingLibrary.fileName)"].map {
            "\($0)=\(try digest("app/" + $0))"
        }
        let told: String? = expected.joined(separator: " ")
        #expect(prepared.refusals == [])
        #expect(prepared.validated.map(\.signature.verdict?.reason) == [told, told])
        #expect(
            prepared.validated.last?.image?.digest.hexadecimal == (try digest("app/lib/\(LoadingLibrary.fileName)")))
    }

    @Test func theProgramOfASubprocessIsSealedAsWell() async throws {
        try folder.writePlugin("a", id: "a", #""backend": true, "executable": "gpx_a""#)
        let program = try folder.write("a/gpx_a_\(Platform.current)", "#!/bin/sh\n")
        chmod(program, 0o755)

        let plugin = try #require(await LoadingPipeline.permissive().prepare(folder).validated.first)
        try folder.write("a/gpx_a_\(Platform.current)", "#!/bin/false\n")

        let image = try #require(plugin.executableImage)
        #expect(try image.withBytes { String(decoding: $0, as: UTF8.self) } == "#!/bin/sh\n")
        #expect(pwrite(image.descriptor, "x", 1, 0) == -1 && errno == EPERM)
    }

    @Test(arguments: [SignatureVerdict.Status.modified, .invalid])
    func badSignaturesAreRefusedWithTheirReason(status: SignatureVerdict.Status) async throws {
        try writeSine(library)
        var settings = LoadingSettings()
        settings.isDevelopment = true
        settings.unsignedIDs = ["acme-sine-datasource"]

        let refusal = try await refusal(LoadingPipeline(settings: settings, verifier: FixedVerifier(status: status)))

        #expect(refusal.code == (status == .modified ? .signatureModified : .signatureInvalid))
        #expect(refusal.message.contains("module.js differs") && refusal.signature?.code == .fileDiffers)
        #expect(refusal.grafanaErrorCode == (status == .modified ? "signatureModified" : "signatureInvalid"))
    }

    @Test func anotherProcessorIsRefusedWithBothNames() async throws {
        var bytes = library
        let other: UInt8 = Platform.current.machine == .aarch64 ? 62 : 183
        bytes[18] = other
        try writeSine(bytes)

        let refusal = try await refusal()

        #expect(refusal.code == .libraryWrongArchitecture)
        #expect(refusal.found == "\(ELFImage.Machine(rawValue: UInt16(other)))")
        #expect(refusal.expected == "\(Platform.current.machine)")
        #expect(refusal.remedy.contains("\(Platform.current)"))
        #expect(refusal.grafanaErrorCode == "library-wrong-architecture")
    }

    @Test func thirtyTwoBitsAreRefused() async throws {
        var bytes = library
        bytes[4] = 1
        try writeSine(bytes)

        #expect(try await refusal().code == .libraryWrongClass)
    }

    @Test func aTruncatedLibraryIsRefused() async throws {
        try writeSine(Array(library[..<(library.count / 2)]))

        let refusal = try await refusal()

        #expect(refusal.code == .libraryTruncated)
        #expect(refusal.found == "\(library.count / 2) bytes")
    }

    @Test func aTextFileIsRefused() async throws {
        try writeSine(Array("not a library\n".utf8))

        let refusal = try await refusal()

        #expect(refusal.code == .libraryNotELF)
        #expect(refusal.found == "text that starts with \"not a library\"")
    }

    @Test func aLibraryWithoutTheEntryIsRefusedWithWhatItExports() async throws {
        let source = "__attribute__((visibility(\"default\"))) int other_entry(void) { return 0; }"
        try writeSine(LoadingLibrary.compile(source))

        let refusal = try await refusal()

        #expect(refusal.code == .entryMissing)
        #expect(refusal.found == "other_entry")
        #expect(refusal.expected == "gf_entry_v1")
    }

    @Test func anotherMajorVersionIsNamed() async throws {
        try writeSine(LoadingLibrary.compile(LoadingLibrary.entry.replacing("entry_v1", with: "entry_v2")))

        let refusal = try await refusal()

        #expect(refusal.code == .entryMissing)
        #expect(refusal.message.contains("another major version"))
    }

    @Test func aProgramAndAnObjectFileAreNotLibraries() async throws {
        try writeSine(LoadingLibrary.compile("int main(void) { return 0; }", ["-c"]))

        let refusal = try await refusal()

        #expect(refusal.code == .libraryNotShared)
        #expect(refusal.found == "an object file (.o)")
    }

    @Test func anExecutableStackIsRefused() async throws {
        try writeSine(LoadingLibrary.compile(LoadingLibrary.entry, ["-shared", "-fPIC", "-Wl,-z,execstack"]))

        #expect(try await refusal().code == .executableStack)
    }

    @Test func anABIFromTheFutureIsRefused() async throws {
        try writeSine(library, #""abi": 99"#)

        let refusal = try await refusal()

        #expect(refusal.code == .abiTooNew)
        #expect(refusal.found == "\"abi\": 99")
    }

    @Test func aMissingLibraryNamesTheFileAndWhatIsThere() async throws {
        try writeSine(nil)
        try folder.write("acme-sine-datasource/sine_linux_riscv64.so", "x")

        let refusal = try await refusal()

        #expect(refusal.code == .libraryMissing)
        #expect(refusal.found == "sine_linux_riscv64.so")
        #expect(refusal.expected == LoadingLibrary.fileName)
    }

    @Test func aLibraryOutsideTheBundleIsRefused() async throws {
        try folder.write("outside/\(LoadingLibrary.fileName)", bytes: library)
        try folder.writePlugin("a", id: "a", #""backend": true, "library": "../outside/sine""#)

        #expect(try await refusal().code == .libraryOutsideFolder)
    }

    @Test func aFolderInPlaceOfTheLibraryIsMissing() async throws {
        try writeSine(nil)
        try folder.makeFolder("acme-sine-datasource/\(LoadingLibrary.fileName)")

        #expect(try await refusal().code == .libraryMissing)
    }

    @Test func aBackendWithoutAFileIsRefused() async throws {
        try folder.writePlugin("a", id: "a", #""backend": true"#)

        #expect(try await refusal().code == .backendMissing)
    }

    @Test func aSubprocessPluginNeedsItsProgram() async throws {
        try folder.writePlugin("a", id: "a", #""backend": true, "executable": "gpx_a""#)

        let missing = try await refusal()
        let program = try folder.write("a/gpx_a_\(Platform.current)", "#!/bin/sh\n")
        chmod(program, 0o755)
        let prepared = await LoadingPipeline.permissive().prepare(folder)

        #expect(missing.code == .executableMissing)
        #expect(missing.grafanaErrorCode == "failedBackendStart")
        #expect(prepared.validated.first?.executable == program)
    }

    @Test func oneFolderIsPreparedByItself() async throws {
        try writeSine(library)
        try folder.writePlugin("b", id: "b")

        let one = await LoadingPipeline.permissive().prepare(folder: folder["acme-sine-datasource"] + "/")
        let gone = await LoadingPipeline.permissive().prepare(folder: folder["gone"])

        #expect(one.validated.map(\.id) == ["acme-sine-datasource"])
        #expect(gone.validated.isEmpty)
        #expect(gone.refusals.map(\.code) == [.folderMissing])
    }

    @Test func aMissingModuleOnlyWarns() async throws {
        try folder.writePlugin("a", id: "a", type: "panel")

        let prepared = await LoadingPipeline.permissive().prepare(folder)

        #expect(prepared.validated.first?.warnings.map(\.code) == ["unsigned-allowed", "module-missing"])
    }
}

/// Says what was sealed, in the reason of its verdict.
private struct SealTeller: SignatureVerifier {
    func signature(of bundle: [PluginCandidate]) -> PluginSignature {
        let sealed = bundle.flatMap(\.sealedFiles).map { "\($0.path)=\($0.digest)" }.joined(separator: " ")
        return PluginSignature(SignatureVerdict(.valid, .valid, reason: sealed))
    }

    func rejudge(_ signature: PluginSignature, sealed: [SealedImage]) -> PluginSignature { signature }
}

private struct FixedVerifier: SignatureVerifier {
    var status: SignatureVerdict.Status

    func signature(of bundle: [PluginCandidate]) -> PluginSignature {
        PluginSignature(SignatureVerdict(status, .fileDiffers, reason: "module.js differs"))
    }

    func rejudge(_ signature: PluginSignature, sealed: [SealedImage]) -> PluginSignature { signature }
}
