// SPDX-License-Identifier: Apache-2.0

/// How far a plugin is from the server's own memory.
public enum IsolationLevel: Int, Sendable, CaseIterable, Comparable {
    /// L0: part of the server.
    case linked = 0
    /// L1: loaded into the server's process.
    case inProcess = 1
    /// L2: in a process of its own.
    case process = 2
    /// L3: in a process of its own that may do only what its `permissions` say.
    case sandbox = 3

    /// `linked`, `in-process`, `process` or `sandbox`, as settings, the API and plugin.json write it.
    public var name: String {
        switch self {
        case .linked: "linked"
        case .inProcess: "in-process"
        case .process: "process"
        case .sandbox: "sandbox"
        }
    }

    /// The word of Grafana's metrics: `in_memory`, or `local` for a process of its own.
    var target: String { self < .process ? "in_memory" : "local" }

    /// Reads a name; nil for any other text.
    public init?(name: String) {
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    /// Less isolated comes first.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What a plugin's own process is doing, for the API and the metrics.
public struct PluginProcessStatus: Sendable, Equatable {
    /// Where a process is in its life.
    public enum State: String, Sendable, CaseIterable {
        /// None runs; the next call starts one.
        case stopped
        case starting
        case running
        /// It failed and is started again after a pause.
        case waiting
        /// It failed too often: no call starts it until the plugin is reloaded or the failures are old.
        case broken
    }

    /// Where the process is in its life.
    public var state: State
    /// 0 when none runs.
    public var processID: Int32
    /// Starts after the first one that followed a failure.
    public var restarts: Int
    /// Resident memory and shared arenas, in bytes; 0 when none runs.
    public var memoryBytes: Int
    /// Processor time of all processes of this plugin, in seconds.
    public var processorSeconds: Double
    /// How often each limit was hit, by its name, such as `memory`.
    public var limitsHit: [String: Int]
    /// Why the last process ended; empty when none did.
    public var lastFailure: String
    /// What the kernel enforces of a sandbox: `seccomp`, `files`, `tcp`, `network`; empty at other levels.
    public var enforced: [String]

    /// Describes a process that never ran unless values are given.
    public init(
        state: State = .stopped, processID: Int32 = 0, restarts: Int = 0, memoryBytes: Int = 0,
        processorSeconds: Double = 0, limitsHit: [String: Int] = [:], lastFailure: String = "",
        enforced: [String] = []
    ) {
        self.state = state
        self.processID = processID
        self.restarts = restarts
        self.memoryBytes = memoryBytes
        self.processorSeconds = processorSeconds
        self.limitsHit = limitsHit
        self.lastFailure = lastFailure
        self.enforced = enforced
    }
}
