// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PluginHost

/// Where the plugin that a program serves lies.
///
/// In a package for Grafana the program is `<executable>_<os>_<arch>`; beside it are `<executable>.json`, which is the
/// plugin.json of a package for this server, and the library that it names. Grafana's own plugin.json names no library.
struct PluginPlace: Sendable {
    /// What the plugin's plugin.json for this server says.
    let pluginJSON: [UInt8]
    /// Where the library lies.
    let folder: String
    /// What the program is called in its log.
    let name: String

    /// The plugin in a folder as this server loads it.
    ///
    /// - Throws: ``ServingError``.
    init(folder: String) throws {
        try self.init("\(folder)/plugin.json", folder: folder)
    }

    private init(_ file: String, folder: String) throws {
        pluginJSON = try Self.read(file)
        self.folder = folder
        name = (try? PluginDescriptor(pluginJSON: pluginJSON).id) ?? "grafana-plugin-go"
    }

    /// The plugin beside the program.
    ///
    /// - Throws: ``ServingError``.
    static func besideProgram() throws -> PluginPlace {
        let path = programPath
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let folder = path[..<slash].isEmpty ? "/" : String(path[..<slash])
        let name = path[slash...].drop { $0 == "/" }
        let suffix = "_\(Platform.current)"
        guard name.hasSuffix(suffix) else {
            throw ServingError(
                "\(name): this program serves a plugin in C or Swift to Grafana, which starts it. It is called "
                    + "<executable>\(suffix) in a package that 'grafana-plugin package --target grafana' makes; for a "
                    + "plugin elsewhere name its folder")
        }
        return try PluginPlace("\(folder)/\(name.dropLast(suffix.count)).json", folder: folder)
    }

    /// Under which name the program was started.
    ///
    /// The host's word comes first: what runs may be a copy in memory, whose own name says nothing.
    private static var programPath: String {
        if let first = CommandLine.arguments.first, first.contains("/"), access(first, F_OK) == 0 { return first }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
        guard count > 0 else { return CommandLine.arguments.first ?? "" }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// More bytes than any plugin.json has.
    private static let largestFile = 4 << 20

    private static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "re") else {
            throw ServingError(
                "'\(path)' cannot be read: \(String(cString: strerror(errno))); a plugin in C or Swift is described there"
            )
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: largestFile + 1)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0, count <= largestFile else {
            throw ServingError("'\(path)' cannot be read, or has more than \(largestFile) bytes")
        }
        return Array(bytes[..<count])
    }

    /// What the program says of itself to somebody who starts it by hand.
    var introduction: String {
        let descriptor = try? PluginDescriptor(pluginJSON: pluginJSON)
        let what = descriptor.map { "'\($0.id)' \($0.info.version)" } ?? "in '\(folder)'"
        return """
            This is the backend of the Grafana plugin \(what).
            It is not meant to be run by hand: Grafana starts it and talks to it over gRPC.
            To see why it does not start: grafana_plugin_type=datasource PLUGIN_PROTOCOL_VERSIONS=2 and its path.
            """
    }
}
