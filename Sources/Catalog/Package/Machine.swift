// SPDX-License-Identifier: Apache-2.0

/// An operating system and a processor, by the names that Go gives them.
public struct Machine: Sendable, Hashable, CustomStringConvertible {
    /// Such as `linux`.
    public var system: String
    /// Such as `amd64`.
    public var processor: String

    /// A machine by its names.
    public init(system: String, processor: String) {
        self.system = system
        self.processor = processor
    }

    /// Where this program runs.
    public static var current: Machine {
        #if arch(x86_64)
        Machine(system: "linux", processor: "amd64")
        #elseif arch(arm64)
        Machine(system: "linux", processor: "arm64")
        #else
        Machine(system: "linux", processor: "unknown")
        #endif
    }

    /// `linux-amd64`, as catalogues write it.
    public var description: String { "\(system)-\(processor)" }

    /// `linux_amd64`, as the files of plugins have it.
    var fileSuffix: String { "\(system)_\(processor)" }

    /// The machine of an ELF file (its `e_machine`); nil for one that is not 64-bit little-endian ELF.
    ///
    /// - Parameter header: The first 20 bytes or more.
    static func ofELF(_ header: [UInt8]) -> Machine? {
        guard header.count >= 20, header.starts(with: [0x7F, 0x45, 0x4C, 0x46]), header[4] == 2, header[5] == 1 else {
            return nil
        }
        switch UInt16(header[18]) | UInt16(header[19]) << 8 {
        case 62: return Machine(system: "linux", processor: "amd64")
        case 183: return Machine(system: "linux", processor: "arm64")
        case let number: return Machine(system: "linux", processor: "machine-\(number)")
        }
    }
}
