// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What an unpacked package must be before anybody looks at its signature.
struct PackageCheck {
    let root: String
    let machine: Machine
    /// What is said about the package in errors.
    let subject: String

    /// The facts of plugin.json, when the package runs on this machine.
    ///
    /// - Throws: ``CatalogError`` `.packageInvalid`, `.packageWrongMachine`.
    func facts() throws -> PackageFacts {
        let facts = try PackageFacts(folder: root)
        let hasDist = FileTree.kind(of: "\(root)/dist/plugin.json") == .file
        let home = hasDist ? "\(root)/dist" : root
        if let library = facts.library { try check("\(home)/\(library)_\(machine.fileSuffix).so", facts, "library") }
        if let executable = facts.executable {
            try check("\(home)/\(executable)_\(machine.fileSuffix)", facts, "program")
        }
        return facts
    }

    private func check(_ path: String, _ facts: PackageFacts, _ what: String) throws {
        // An executable may be named relative to plugin.json, but not out of the package.
        guard let real = realpath(path, nil) else { throw missing(path, facts, what) }
        defer { free(real) }
        guard let realRoot = realpath(root, nil) else { throw missing(path, facts, what) }
        defer { free(realRoot) }
        guard String(cString: real).hasPrefix(String(cString: realRoot) + "/"),
            FileTree.kind(of: String(cString: real)) == .file
        else { throw missing(path, facts, what) }
        let header = try Self.header(of: String(cString: real))
        guard let found = Machine.ofELF(header) else {
            // A script is a program, too; a library never is one.
            if what == "program", header.starts(with: "#!".utf8) { return }
            throw CatalogError(
                .packageWrongMachine,
                "\(subject): '\(path)' is no 64-bit ELF file; ask the author for a build for \(machine)")
        }
        guard found == machine else {
            throw CatalogError(
                .packageWrongMachine,
                "\(subject): its \(what) is built for \(found), this machine is \(machine); install the build for "
                    + "\(machine)")
        }
    }

    private func missing(_ path: String, _ facts: PackageFacts, _ what: String) -> CatalogError {
        CatalogError(
            .packageWrongMachine,
            "\(subject): \(facts.id) has no \(what) for \(machine) ('\(path.split(separator: "/").last ?? "")' is not in "
                + "the package); install a build for \(machine)")
    }

    private static func header(of path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw CatalogError.system("open", path, errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return Array(bytes.prefix(max(count, 0)))
    }
}
