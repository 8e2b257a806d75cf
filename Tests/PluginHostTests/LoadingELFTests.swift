// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PluginHost

struct LoadingELFTests {
    private let library: [UInt8]

    init() throws { library = try LoadingLibrary.minimal.get() }

    @Test func aMinimalLibraryExportsOnlyItsEntry() throws {
        let elf = try LoadingLibrary.elf(library)

        #expect(elf.elfClass == .bits64)
        #expect(elf.machine == Platform.current.machine)
        #expect(elf.type == .shared)
        #expect(elf.entryPoints == ["gf_entry_v1"])
        #expect(elf.otherExports.isEmpty)
        #expect(elf.exportedSymbolCount == 1)
        #expect(!elf.hasExecutableStack)
        #expect(elf.runPath.isEmpty)
    }

    @Test func linkerFactsAreRead() throws {
        let source =
            LoadingLibrary.entry + "\nextern double sin(double);"
            + "\n__attribute__((visibility(\"default\"))) double twice(double x) { return 2 * sin(x); }"
        let bytes = try LoadingLibrary.compile(
            source,
            [
                "-shared", "-fPIC", "-Wl,-rpath,/opt/x", "-Wl,-soname,sine", "-Wl,-z,execstack", "-Wl,--no-as-needed",
                "-lm",
            ])

        let elf = try LoadingLibrary.elf(bytes)

        #expect(elf.neededLibraries.contains("libm.so.6"))
        #expect(elf.soname == "sine")
        #expect(elf.runPath == "/opt/x")
        #expect(elf.otherExports == ["twice"])
        #expect(elf.exportedSymbolCount == 2)
        #expect(elf.hasExecutableStack)
    }

    @Test(arguments: ["sysv", "gnu", "both"])
    func bothHashTablesCountTheSymbols(style: String) throws {
        let source =
            LoadingLibrary.entry
            + (0..<50).map { "\n__attribute__((visibility(\"default\"))) int f\($0)(void) { return \($0); }" }.joined()

        let elf = try LoadingLibrary.elf(
            LoadingLibrary.compile(source, ["-shared", "-fPIC", "-Wl,--hash-style=\(style)"]))

        #expect(elf.exportedSymbolCount == 51)
        #expect(elf.entryPoints == ["gf_entry_v1"])
    }

    @Test func staticThreadLocalStorageIsSeen() throws {
        let source =
            LoadingLibrary.entry + "\n__thread int t; int *g(void) { return &t; }"
            + "\n__attribute__((visibility(\"default\"))) int *h(void) { return &t; }"

        let elf = try LoadingLibrary.elf(
            LoadingLibrary.compile(source, ["-shared", "-fPIC", "-ftls-model=initial-exec"]))

        #expect(elf.hasStaticTLS)
    }

    @Test func anEntryThatIsAVariableOrHiddenDoesNotCount() throws {
        let variable = try LoadingLibrary.compile(
            "__attribute__((visibility(\"default\"))) int gf_entry_v1 = 3;")
        let hidden = try LoadingLibrary.compile("int gf_entry_v1(void) { return 0; }")

        #expect(try LoadingLibrary.elf(variable).entryPoints.isEmpty)
        #expect(try LoadingLibrary.elf(hidden).entryPoints.isEmpty)
    }

    @Test func emptyAndTextFilesAreNotELF() {
        #expect(throws: ELFError.notELF(found: "an empty file")) { try LoadingLibrary.elf([]) }
        #expect(throws: ELFError.notELF(found: "text that starts with \"#!/bin/sh\"")) {
            try LoadingLibrary.elf(Array("#!/bin/sh\necho\n".utf8))
        }
    }

    @Test func otherByteOrderIsToldFromTheHeader() throws {
        var bytes = library
        bytes[5] = 2
        bytes.swapAt(18, 19)
        bytes.swapAt(16, 17)

        let elf = try LoadingLibrary.elf(bytes)

        #expect(!elf.isLittleEndian)
        #expect(elf.machine == Platform.current.machine)
        #expect(elf.neededLibraries.isEmpty)
    }

    @Test func everyTruncationIsAnErrorAndNeverACrash() {
        for length in stride(from: 0, to: library.count, by: 7) {
            #expect(throws: ELFError.self) { try LoadingLibrary.elf(Array(library[..<length])) }
        }
    }

    @Test func hostileHeadersNeverCrash() {
        var generator = SplitMix(state: 42)
        let interesting: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF]
        for _ in 0..<20_000 {
            var bytes = library
            for _ in 0...Int.random(in: 0..<6, using: &generator) {
                let limit = Bool.random(using: &generator) ? 1024 : bytes.count
                let start = Int.random(in: 0..<limit - 8, using: &generator)
                let value = interesting.randomElement(using: &generator) ?? 0
                for index in start..<start + Int.random(in: 1...8, using: &generator) { bytes[index] = value }
            }
            _ = try? LoadingLibrary.elf(bytes)
        }
    }
}

/// A small repeatable generator.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
