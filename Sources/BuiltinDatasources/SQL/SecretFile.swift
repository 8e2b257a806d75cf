// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// A text for a C library that reads it from a path; the file has no name, so that nobody else finds it.
final class SecretFile {
    private let descriptor: Int32

    /// - Throws: ``PluginError`` `.io` when there is no place for it.
    init(_ text: String) throws {
        // Memory, where there is; else the folder for temporary files.
        var made: Int32 = -1
        for folder in ["/dev/shm", "/tmp"] where made < 0 {
            var template = Array("\(folder)/gf-XXXXXX".utf8CString)
            made = mkstemp(&template)
            if made >= 0 { unlink(template) }
        }
        guard made >= 0 else {
            throw PluginError(.io, "no temporary file can be made for a certificate (errno \(errno))", source: .plugin)
        }
        descriptor = made
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else {
                throw PluginError(.io, "a certificate cannot be written (errno \(errno))", source: .plugin)
            }
            bytes = bytes.dropFirst(written)
        }
    }

    deinit { close(descriptor) }

    /// Valid in this process, while the value lives.
    var path: String { "/proc/self/fd/\(descriptor)" }
}

/// Certificates and keys, as paths of files.
struct SQLCertificates {
    var root = ""
    var certificate = ""
    var key = ""
    /// What must live until the connection is made.
    var files: [SecretFile] = []

    /// The certificates that the system trusts.
    static var systemRoots: String? {
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"].first { access($0, R_OK) == 0 }
    }

    /// Puts texts in the place of paths.
    ///
    /// - Throws: ``PluginError``.
    static func made(root: String?, certificate: String?, key: String?) throws -> SQLCertificates {
        var result = SQLCertificates()
        func file(_ text: String?) throws -> String {
            guard let text, !text.isEmpty else { return "" }
            let file = try SecretFile(text)
            result.files.append(file)
            return file.path
        }
        result.root = try file(root)
        result.certificate = try file(certificate)
        result.key = try file(key)
        return result
    }
}
