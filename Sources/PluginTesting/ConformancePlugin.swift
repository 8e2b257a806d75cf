// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import PluginABI
public import PluginHost

/// One plugin in all its forms: the same code linked in, as a library, and behind a program.
///
/// ```swift
/// let plugin = try ConformancePlugin(folder: "dist/acme-sine-datasource")
/// ```
public struct ConformancePlugin: Sendable {
    /// As in plugin.json.
    public let id: String
    /// The entry for L0; nil when the plugin is not part of a server.
    public let linked: BuiltinPlugin?
    /// The plugin's folder with plugin.json and the library, for L1 to L3; nil when there is none.
    public let folder: String?
    /// A folder whose plugin.json names an executable, for gRPC; nil when there is none.
    public let program: String?

    /// Takes the forms that there are; all have one id.
    ///
    /// - Throws: ``PluginError`` `.invalid` when there is none, a plugin.json cannot be read, or two ids differ.
    public init(linked: BuiltinPlugin? = nil, folder: String? = nil, program: String? = nil) throws {
        let ids = try [linked?.id, folder.map(Self.id), program.map(Self.id)].compactMap { $0 }
        guard let id = ids.first else {
            throw PluginError(.invalid, "there is no plugin to test: give its folder, its program or its entry")
        }
        if let other = ids.first(where: { $0 != id }) {
            throw PluginError(.invalid, "'\(id)' and '\(other)' are two plugins; give forms of one")
        }
        self.id = id
        self.linked = linked
        self.folder = folder
        self.program = program
    }

    /// The places that the forms allow, in the order in which they are compared.
    public var places: [ConformancePlace] {
        ConformancePlace.allCases.filter { place in
            switch place {
            case .linked: linked != nil
            case .inProcess, .process, .sandbox: folder != nil
            case .grpc: program != nil
            }
        }
    }

    private static func id(ofFolder path: String) throws -> String {
        let file = "\(path)/plugin.json"
        guard let json = FileManager.default.contents(atPath: file),
            let descriptor = try? PluginDescriptor(pluginJSON: Array(json))
        else {
            throw PluginError(.invalid, "\(file) cannot be read; build the plugin first, or correct the path")
        }
        return descriptor.id
    }
}
