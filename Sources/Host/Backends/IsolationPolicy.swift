// SPDX-License-Identifier: Apache-2.0

/// Where the code of plugins runs: what the operator set, within what the signature allows.
///
/// Plugins that are part of the server are linked in (L0); those of them that are libraries have code of others to load and
/// run in processes of their own (L2), nearer only where `[plugin.<id>] isolation` says so. Others run where `[plugin.<id>] isolation` says, else where
/// `[plugins] isolation` says, else where their plugin.json asks for more than the default; but never closer to the server
/// than their signature allows.
public struct IsolationPolicy: Sendable, Equatable {
    /// `[plugins] isolation`; nil: the default of each plugin's signature.
    public var common: IsolationLevel?
    /// `[plugin.<id>] isolation`, by id.
    public var levels: [String: IsolationLevel]

    /// Leaves everything to the signatures where nothing is given.
    public init(common: IsolationLevel? = nil, levels: [String: IsolationLevel] = [:]) {
        self.common = common
        self.levels = levels
    }

    /// The level of a plugin that is not linked into the server.
    ///
    /// - Parameter isDevelopment: whether the operator may bring any plugin as close as it can be, to debug it.
    func level(of plugin: ValidatedPlugin, isDevelopment: Bool) -> IsolationLevel {
        if plugin.signature.status == .internal { return levels[plugin.id] ?? max(.process, common ?? .process) }
        let closest = plugin.signature.closestLevel
        let standard: IsolationLevel =
            plugin.signature.status == .valid ? closest : isDevelopment ? .process : .sandbox
        let asked = plugin.descriptor.isolation.flatMap { IsolationLevel(name: $0.rawValue) } ?? standard
        let wanted = levels[plugin.id] ?? common ?? max(standard, asked)
        return max(wanted, isDevelopment ? .inProcess : closest)
    }
}
