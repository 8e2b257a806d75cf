// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What loading takes from the outside: variables and files.
///
/// Tests give their own.
public struct SettingsEnvironment: Sendable {
    /// The environment variables.
    public var variables: [String: String]
    /// Reads a whole file; nil when it does not exist.
    ///
    /// Throws ``SettingsError`` `.fileUnreadable` when it exists and cannot be read.
    public var readFile: @Sendable (String) throws -> [UInt8]?
    /// The machine's name, for `instance_name`.
    public var hostName: String

    /// Creates an environment.
    public init(
        variables: [String: String] = [:], hostName: String = "localhost",
        readFile: @escaping @Sendable (String) throws -> [UInt8]?
    ) {
        self.variables = variables
        self.hostName = hostName
        self.readFile = readFile
    }

    /// An environment made of given variables and texts by path, for tests.
    public init(variables: [String: String] = [:], files: [String: String]) {
        self.init(variables: variables) { path in files[path].map { Array($0.utf8) } }
    }

    /// The process's own environment.
    public static var process: SettingsEnvironment {
        SettingsEnvironment(variables: processVariables(), hostName: processHostName(), readFile: readWholeFile)
    }

    /// Files of settings larger than this are a mistake.
    private static let fileLimit = 4 << 20

    private static func processVariables() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            next += 1
        }
        return variables
    }

    private static func processHostName() -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func readWholeFile(_ path: String) throws -> [UInt8]? {
        guard let file = fopen(path, "re") else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw unreadable(path, systemMessage(errno))
        }
        defer { fclose(file) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            content.append(contentsOf: chunk[..<count])
            guard content.count <= fileLimit else { throw unreadable(path, "it is larger than \(fileLimit) bytes") }
            if count < chunk.count { break }
        }
        guard ferror(file) == 0 else { throw unreadable(path, systemMessage(errno)) }
        return content
    }

    private static func unreadable(_ path: String, _ fact: String) -> SettingsError {
        SettingsError(.fileUnreadable, "settings file '\(path)' cannot be read: \(fact); check its mode and owner")
    }

    private static func systemMessage(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "errno \(code)"
    }
}
