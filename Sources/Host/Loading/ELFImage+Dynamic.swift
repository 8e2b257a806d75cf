// SPDX-License-Identifier: Apache-2.0

/// The entries of a dynamic section that matter here, each the last one of its tag.
private struct DynamicSection {
    static let needed: UInt64 = 1
    static let hash: UInt64 = 4
    static let stringTable: UInt64 = 5
    static let symbolTable: UInt64 = 6
    static let stringSize: UInt64 = 10
    static let symbolSize: UInt64 = 11
    static let soname: UInt64 = 14
    static let rpath: UInt64 = 15
    static let runPath: UInt64 = 29
    static let flags: UInt64 = 30
    static let gnuHash: UInt64 = 0x6FFF_FEF5

    var values: [UInt64: UInt64] = [:]
    var needed: [UInt64] = []

    /// - Throws: ``ELFError`` without an end mark, or with more libraries than any program needs.
    init(_ program: ELFProgram) throws {
        guard let segment = program.segments.first(where: { $0.type == ELFProgram.dynamic }) else {
            throw ELFError.malformed("it has no dynamic section")
        }
        var offset = segment.offset
        let end = segment.offset + segment.fileSize
        while offset < end {
            let tag = try program.reader.uint64(at: offset, "the dynamic section")
            let value = try program.reader.uint64(at: offset + 8, "the dynamic section")
            if tag == 0 { return }
            if tag == Self.needed { needed.append(value) } else { values[tag] = value }
            guard needed.count <= 1024, values.count <= 1024 else {
                throw ELFError.malformed("its dynamic section has more than 1024 entries of a kind")
            }
            offset += 16
        }
    }
}

extension ELFImage {
    /// Fills everything that comes from the program headers.
    mutating func readDynamicSection(_ program: ELFProgram) throws {
        readStack(program)
        let dynamic = try DynamicSection(program)
        guard let stringAddress = dynamic.values[DynamicSection.stringTable] else {
            throw ELFError.malformed("it has no string table")
        }
        let strings = try program.offset(of: stringAddress, "the string table")
        let stringSize = dynamic.values[DynamicSection.stringSize] ?? 0
        try program.reader.check(strings.offset, stringSize, "the string table")
        let end = strings.offset + stringSize
        func text(_ offset: UInt64?, _ what: String) throws -> String {
            guard let offset else { return "" }
            guard offset < stringSize else { throw ELFError.malformed("\(what) lies outside the string table") }
            return try program.reader.text(at: strings.offset + offset, before: end, what)
        }
        neededLibraries = try dynamic.needed.map { try text($0, "the name of a needed library") }
        soname = try text(dynamic.values[DynamicSection.soname], "the soname")
        runPath = try text(
            dynamic.values[DynamicSection.runPath] ?? dynamic.values[DynamicSection.rpath], "the run path")
        hasStaticTLS = (dynamic.values[DynamicSection.flags] ?? 0) & 0x10 != 0
        guard let symbols = dynamic.values[DynamicSection.symbolTable] else { return }
        let count = try Self.symbolCount(dynamic, program)
        try readSymbols(at: program.offset(of: symbols, "the symbol table").offset, count, strings.offset, end, program)
    }

    /// On x86 a library without the mark is taken for one that needs an executable stack.
    private mutating func readStack(_ program: ELFProgram) {
        let executable: UInt32 = 1
        if let mark = program.segments.last(where: { $0.type == ELFProgram.gnuStack }) {
            hasExecutableStack = mark.flags & executable != 0
        } else {
            hasExecutableStack = machine == .x86_64
        }
    }

    /// The number of dynamic symbols, which only the hash tables tell.
    private static func symbolCount(_ dynamic: DynamicSection, _ program: ELFProgram) throws -> UInt64 {
        if let address = dynamic.values[DynamicSection.hash] {
            let table = try program.offset(of: address, "the hash table").offset
            return UInt64(try program.reader.uint32(at: table + 4, "the hash table"))
        }
        guard let address = dynamic.values[DynamicSection.gnuHash] else { return 0 }
        return try gnuSymbolCount(program.offset(of: address, "the hash table").offset, program.reader)
    }

    /// One more than the greatest symbol index in a GNU hash table.
    private static func gnuSymbolCount(_ table: UInt64, _ reader: ELFReader) throws -> UInt64 {
        let what = "the hash table"
        let bucketCount = UInt64(try reader.uint32(at: table, what))
        let firstSymbol = UInt64(try reader.uint32(at: table + 4, what))
        let bloomCount = UInt64(try reader.uint32(at: table + 8, what))
        let buckets = table + 16 + bloomCount * 8
        try reader.check(buckets, bucketCount * 4, what)
        var last: UInt64 = 0
        for index in 0..<bucketCount {
            last = max(last, UInt64(try reader.uint32(at: buckets + index * 4, what)))
        }
        guard last >= firstSymbol else { return firstSymbol }
        let chains = buckets + bucketCount * 4
        while try reader.uint32(at: chains + (last - firstSymbol) * 4, what) & 1 == 0 { last += 1 }
        return last + 1
    }

    private mutating func readSymbols(
        at table: UInt64, _ count: UInt64, _ strings: UInt64, _ end: UInt64, _ program: ELFProgram
    ) throws {
        let what = "the symbol table"
        let reader = program.reader
        guard count < 1 << 31 else { throw ELFError.malformed("it claims \(count) symbols") }
        try reader.check(table, count * 24, what)
        var entries: Set<String> = []
        for index in 0..<count {
            let at = table + index * 24
            guard try Self.isExported(at: at, reader, what) else { continue }
            exportedSymbolCount += 1
            let name = strings + UInt64(try reader.uint32(at: at, what))
            let isFunction = try reader.byte(at: at + 4, what) & 0xF == 2
            if isFunction, reader.hasPrefix("gf_entry_v", at: name, before: end), entries.count < 64 {
                entries.insert(try reader.text(at: name, before: end, "a symbol's name"))
            } else if otherExports.count < 8 {
                otherExports.append(try reader.text(at: name, before: end, "a symbol's name"))
            }
        }
        entryPoints = entries.sorted()
    }

    /// Defined, global, weak or unique, and not hidden.
    private static func isExported(at symbol: UInt64, _ reader: ELFReader, _ what: String) throws -> Bool {
        let binding = try reader.byte(at: symbol + 4, what) >> 4
        let visibility = try reader.byte(at: symbol + 5, what) & 3
        let section = try reader.uint16(at: symbol + 6, what)
        return (binding == 1 || binding == 2 || binding == 10) && (visibility == 0 || visibility == 3) && section != 0
    }
}
