// SPDX-License-Identifier: Apache-2.0
internal import PluginHost

/// Where a plugin runs while it is compared.
public enum ConformancePlace: String, Sendable, CaseIterable, CustomStringConvertible {
    /// Part of the server.
    case linked = "L0"
    /// A library in the server's process.
    case inProcess = "L1"
    /// A library in a process of its own.
    case process = "L2"
    /// A library in a process that may do only what its `permissions` say.
    case sandbox = "L3"
    /// A program that speaks Grafana's plugin protocol.
    case grpc = "gRPC"

    /// The name of the level.
    public var description: String { rawValue }

    /// The level that the platform is told; a program has none of its own.
    var level: IsolationLevel {
        switch self {
        case .linked: .linked
        case .inProcess: .inProcess
        case .process, .grpc: .process
        case .sandbox: .sandbox
        }
    }
}
