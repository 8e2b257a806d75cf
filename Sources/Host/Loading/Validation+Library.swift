// SPDX-License-Identifier: Apache-2.0

import CPluginABI

extension Validation {
    /// The symbol that a library for this host exports.
    static let entryName = "gf_entry_v1"

    /// Checks plugin.json and the ELF header of a sealed library.
    ///
    /// - Throws: ``PluginRefusal``.
    func checkLibrary(_ image: SealedImage, of candidate: PluginCandidate) throws -> ELFImage {
        try checkABI(of: candidate)
        let elf: ELFImage
        do {
            elf = try image.withBytes { try ELFImage(bytes: $0) }
        } catch let error as ELFError {
            throw Self.refusal(error, image, of: candidate)
        } catch {
            throw candidate.refusal(
                .imageNotSealed, found: "\(error)", expected: "\(image.size) bytes of memory",
                message: "the library could not be mapped", remedy: "check the memory limit of the server")
        }
        try checkMachine(elf, image, of: candidate)
        try checkEntry(elf, image, of: candidate)
        return elf
    }

    private func checkABI(of candidate: PluginCandidate) throws(PluginRefusal) {
        let needed = candidate.descriptor.abi
        guard needed > Int(GF_ABI_MINOR) else { return }
        throw candidate.refusal(
            .abiTooNew, found: "\"abi\": \(needed)", expected: "at most \(GF_ABI_MINOR)",
            message: "the plugin needs a newer ABI than this server has",
            remedy: "update the server, or install an older version of the plugin")
    }

    private func checkMachine(
        _ elf: ELFImage, _ image: SealedImage, of candidate: PluginCandidate
    ) throws(PluginRefusal) {
        let build = "install the build for \(settings.platform)"
        guard elf.elfClass == .bits64 else {
            throw candidate.refusal(
                .libraryWrongClass, found: "32 bit (\(elf.machine))", expected: "64 bit (\(settings.platform.machine))",
                message: "the library '\(image.origin)' has another word size than this server", remedy: build)
        }
        guard elf.isLittleEndian, elf.machine == settings.platform.machine else {
            throw candidate.refusal(
                .libraryWrongArchitecture, found: "\(elf.machine)" + (elf.isLittleEndian ? "" : ", big-endian"),
                expected: "\(settings.platform.machine)",
                message: "the library '\(image.origin)' is built for another processor", remedy: build)
        }
        guard elf.type == .shared else {
            throw candidate.refusal(
                .libraryNotShared, found: "\(elf.type)", expected: "\(ELFImage.ObjectType.shared)",
                message: "'\(image.origin)' cannot be loaded into the server",
                remedy: "link it as a shared library: cc -shared -fPIC")
        }
    }

    private func checkEntry(
        _ elf: ELFImage, _ image: SealedImage, of candidate: PluginCandidate
    ) throws(PluginRefusal) {
        guard !elf.hasExecutableStack else {
            throw candidate.refusal(
                .executableStack, found: "an executable stack", expected: "a stack without execute permission",
                message: "the library '\(image.origin)' would make every stack of the server executable",
                remedy: "link it with -Wl,-z,noexecstack")
        }
        guard !elf.entryPoints.contains(Self.entryName) else { return }
        let others = elf.entryPoints + elf.otherExports
        let found = others.isEmpty ? "no exported symbol" : others.joined(separator: ", ")
        throw candidate.refusal(
            .entryMissing, found: found, expected: Self.entryName,
            message: elf.entryPoints.isEmpty
                ? "the library '\(image.origin)' does not export the entry function"
                : "the library '\(image.origin)' is built for another major version of the ABI",
            remedy: elf.entryPoints.isEmpty
                ? "define the function with GF_EXPORT (in Swift: @c public func) and link it into the library"
                : "rebuild it with this server's headers, or update the server")
    }

    private static func refusal(
        _ error: ELFError, _ image: SealedImage, of candidate: PluginCandidate
    ) -> PluginRefusal {
        switch error {
        case .notELF(let found):
            candidate.refusal(
                .libraryNotELF, found: found, expected: "an ELF shared library",
                message: "'\(image.origin)' is not a library", remedy: "install the plugin again, or build it for Linux"
            )
        case .truncated(let what, let needed, let size):
            candidate.refusal(
                .libraryTruncated, found: "\(size) bytes", expected: "at least \(needed) bytes for \(what)",
                message: "the library '\(image.origin)' is cut off", remedy: "copy or install the file again")
        case .malformed(let fact):
            candidate.refusal(
                .libraryMalformed, found: fact, expected: "an ELF file as a linker writes it",
                message: "the library '\(image.origin)' is damaged", remedy: "install or build the file again")
        }
    }
}
