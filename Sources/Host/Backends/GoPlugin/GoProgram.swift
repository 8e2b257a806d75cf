// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import GoPlugin
internal import Processes

/// The program of a Go plugin, looked at before it is run: what would fail with a bare "exec format error" is refused in
/// words.
///
/// An ELF program is run from its sealed copy, which is what was verified. A script is run from its folder, because its
/// interpreter opens it by name and it looks for its files beside it; so is a program that a debugger runs already, which
/// finds `standalone.txt` beside itself.
struct GoProgram {
    let program: ProcessLaunch
    /// Why it is not run from the sealed copy; nil when it is.
    let warning: String?

    /// - Throws: ``PluginRefusal``.
    init(_ plugin: ValidatedPlugin, settings: GoPluginSettings) throws {
        guard let path = plugin.executable, let image = plugin.executableImage else {
            throw PluginRefusal(
                .executableMissing, pluginID: plugin.id, folder: plugin.folder, message: "it names no program",
                remedy: "add \"executable\" to its plugin.json")
        }
        let kind = try image.withBytes { bytes in try Self.kind(of: bytes, path: path, plugin) }
        var environment = PluginLaunch.handshakeEnvironment
        environment.merge(settings.environment) { $1 }
        environment.merge(settings.environments[plugin.id] ?? [:]) { $1 }
        environment["GF_PLUGIN_VERSION"] = plugin.descriptor.info.version
        let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let folder = path.prefix(path.count - FilePath.lastComponent(path).count)
        let isDebugged = access(folder + "standalone.txt", F_OK) == 0
        switch kind {
        case .script(let interpreter):
            program = ProcessLaunch(path: path, environment: variables)
            warning = "it is a script for \(interpreter), which opens it by its name"
        case .elf where isDebugged:
            program = ProcessLaunch(path: path, environment: variables)
            warning = "standalone.txt lies beside it: it is being debugged"
        case .elf:
            program = ProcessLaunch(path: path, image: image.descriptor, owner: image, environment: variables)
            warning = nil
        }
    }

    private enum Kind {
        case elf
        case script(interpreter: String)
    }

    private static func kind(of bytes: UnsafeRawBufferPointer, path: String, _ plugin: ValidatedPlugin) throws -> Kind {
        if bytes.starts(with: "#!".utf8) { return try script(bytes, path: path, plugin) }
        let elf: ELFImage
        do {
            elf = try ELFImage(bytes: bytes)
        } catch {
            throw PluginRefusal(
                .programNotExecutable, pluginID: plugin.id, folder: plugin.folder, found: "\(error)",
                expected: "an ELF program, or a script that starts with #!", message: "'\(path)' is not a program",
                remedy: "install the plugin again, or build it for \(Platform.current)")
        }
        guard elf.machine == Platform.current.machine, elf.elfClass == .bits64, elf.isLittleEndian else {
            throw PluginRefusal(
                .programWrongArchitecture, pluginID: plugin.id, folder: plugin.folder, found: "\(elf.machine)",
                expected: "\(Platform.current.machine)", message: "'\(path)' is built for another processor",
                remedy: "install the build for \(Platform.current)")
        }
        if let interpreter = elf.interpreter(in: bytes) {
            try check(
                interpreter, path: path, plugin,
                remedy: "install the C library that it was built with, or a static build")
        }
        return .elf
    }

    private static func script(_ bytes: UnsafeRawBufferPointer, path: String, _ plugin: ValidatedPlugin) throws -> Kind
    {
        let line = bytes.dropFirst(2).prefix(256).prefix { $0 != UInt8(ascii: "\n") }
        let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" || $0 == "\r" }
        let interpreter = words.first.map(String.init) ?? ""
        try check(interpreter, path: path, plugin, remedy: "install it, or correct the first line of the script")
        return .script(interpreter: interpreter)
    }

    private static func check(_ interpreter: String, path: String, _ plugin: ValidatedPlugin, remedy: String) throws {
        guard access(interpreter, X_OK) != 0 else { return }
        throw PluginRefusal(
            .interpreterMissing, pluginID: plugin.id, folder: plugin.folder, found: "no program at '\(interpreter)'",
            expected: "the interpreter that '\(path)' asks for", message: "its program cannot be run here",
            remedy: remedy)
    }
}

extension ELFImage {
    /// The dynamic linker that a program names; nil for a static one.
    fileprivate func interpreter(in bytes: UnsafeRawBufferPointer) -> String? {
        guard elfClass == .bits64, bytes.count >= 64 else { return nil }
        let table = bytes.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
        let size = UInt64(bytes.loadUnaligned(fromByteOffset: 54, as: UInt16.self))
        let count = UInt64(bytes.loadUnaligned(fromByteOffset: 56, as: UInt16.self))
        guard size >= 56 else { return nil }
        for index in 0..<count {
            let (place, overflow) = table.addingReportingOverflow(index * size)
            guard !overflow, place <= UInt64(bytes.count), UInt64(bytes.count) - place >= 56 else { return nil }
            let offset = Int(place)
            guard bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self) == 3 else { continue }
            let start = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
            guard start < UInt64(bytes.count) else { return nil }
            let text = bytes[Int(start)...].prefix(4_096).prefix { $0 != 0 }
            return String(decoding: text, as: UTF8.self)
        }
        return nil
    }
}
