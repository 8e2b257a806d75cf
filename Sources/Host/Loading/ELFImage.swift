// SPDX-License-Identifier: Apache-2.0

/// What a shared library says about itself, read from its bytes without opening it.
///
/// The reader follows the program headers, as the dynamic linker does, and never the section headers: those may be
/// stripped or may tell another story. Every offset is checked, so a hostile file gives an ``ELFError``.
/// - SeeAlso: System V ABI, "Object Files" and "Dynamic Linking"; elf(5).
public struct ELFImage: Sendable, Equatable {
    /// The size of addresses.
    public enum Class: UInt8, Sendable { case bits32 = 1, bits64 = 2 }

    /// 32 or 64 bit.
    public var elfClass: Class
    /// The byte order.
    public var isLittleEndian: Bool
    /// The processor.
    public var machine: Machine
    /// Library, program or object file.
    public var type: ObjectType

    // The rest is only filled for a library of the host's own kind: 64 bit, little-endian, ET_DYN.

    /// `DT_NEEDED`: the libraries that it is linked against, in order.
    public var neededLibraries: [String] = []
    /// `DT_SONAME`, or empty.
    public var soname = ""
    /// `DT_RPATH` or `DT_RUNPATH`, or empty.
    public var runPath = ""
    /// How many symbols other libraries can bind to.
    public var exportedSymbolCount = 0
    /// The exported functions whose names start with `gf_entry_v`, sorted.
    public var entryPoints: [String] = []
    /// The first few of the other exported symbols, for messages.
    public var otherExports: [String] = []
    /// Whether the library asks for executable stacks, which would make those of the whole server executable.
    public var hasExecutableStack = false
    /// Whether its thread-local variables need room that is reserved at the start of the process.
    public var hasStaticTLS = false

    /// `e_machine`.
    public struct Machine: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The number in the file.
        public var rawValue: UInt16
        /// Wraps the number in the file.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// 32-bit x86.
        public static let x86 = Self(rawValue: 3)
        /// 32-bit ARM.
        public static let arm = Self(rawValue: 40)
        /// 64-bit x86.
        public static let x86_64 = Self(rawValue: 62)
        /// 64-bit ARM.
        public static let aarch64 = Self(rawValue: 183)
        /// RISC-V of either size.
        public static let riscv = Self(rawValue: 243)

        /// The name for messages.
        public var description: String {
            switch self {
            case .x86: "x86"
            case .arm: "arm"
            case .x86_64: "x86-64"
            case .aarch64: "aarch64"
            case .riscv: "riscv"
            default: "machine \(rawValue)"
            }
        }
    }

    /// `e_type`.
    public struct ObjectType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The number in the file.
        public var rawValue: UInt16
        /// Wraps the number in the file.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// `ET_REL`.
        public static let relocatable = Self(rawValue: 1)
        /// `ET_EXEC`.
        public static let executable = Self(rawValue: 2)
        /// `ET_DYN`.
        public static let shared = Self(rawValue: 3)
        /// `ET_CORE`.
        public static let core = Self(rawValue: 4)

        /// The name for messages.
        public var description: String {
            switch self {
            case .relocatable: "an object file (.o)"
            case .executable: "a program"
            case .shared: "a shared library"
            case .core: "a core dump"
            default: "ELF type \(rawValue)"
            }
        }
    }
}

/// Why bytes are not a readable ELF file.
public enum ELFError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The magic number is missing; the first bytes, printable.
    case notELF(found: String)
    /// A header points past the end of the file.
    case truncated(what: String, needed: UInt64, size: Int)
    /// A value that no linker writes.
    case malformed(String)

    /// What was found, for people.
    public var description: String {
        switch self {
        case .notELF(let found): found
        case .truncated(let what, let needed, let size): "\(size) bytes, of which \(what) needs \(needed)"
        case .malformed(let what): what
        }
    }
}

extension ELFImage {
    /// Reads the header, and for a library of the host's kind also its dynamic section and symbols.
    ///
    /// - Throws: ``ELFError``.
    /// - Complexity: O(number of program headers and symbols).
    public init(bytes: UnsafeRawBufferPointer) throws {
        let reader = ELFReader(bytes: bytes)
        let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]
        guard bytes.prefix(4).elementsEqual(magic) else { throw ELFError.notELF(found: reader.opening) }
        guard let elfClass = Class(rawValue: try reader.byte(at: 4, "the ELF header")) else {
            throw ELFError.malformed("unknown class in the ELF header")
        }
        let order = try reader.byte(at: 5, "the ELF header")
        guard order == 1 || order == 2 else { throw ELFError.malformed("unknown byte order in the ELF header") }
        let isLittle = order == 1
        let type = try reader.uint16(at: 16, "the ELF header")
        let machine = try reader.uint16(at: 18, "the ELF header")
        self.init(
            elfClass: elfClass, isLittleEndian: isLittle,
            machine: Machine(rawValue: isLittle ? machine : machine.byteSwapped),
            type: ObjectType(rawValue: isLittle ? type : type.byteSwapped))
        guard elfClass == .bits64, isLittle, self.type == .shared else { return }
        try readDynamicSection(ELFProgram(reader))
    }
}
