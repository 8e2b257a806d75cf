// SPDX-License-Identifier: Apache-2.0

/// Something that a plugin in the server's own process did, for which it cannot stay there.
enum PluginIncident: Sendable {
    /// Too many of its calls did not end.
    case hung(PluginRuntime)
    /// It keeps memory of the server although no call of it runs.
    case kept(PluginRuntime, bytes: Int)

    var runtime: PluginRuntime {
        switch self {
        case .hung(let runtime), .kept(let runtime, _): runtime
        }
    }

    var cause: PluginQuarantine.Cause {
        switch self {
        case .hung: .hang
        case .kept: .memory
        }
    }

    var reason: String {
        switch self {
        case .hung: "did not end \(RuntimeTrouble.hangLimit) calls within ten minutes"
        case .kept(_, let bytes): "kept \(bytes >> 20) MiB of the server's memory after its calls had ended"
        }
    }
}

/// What one opened library did so far.
struct RuntimeTrouble: Sendable {
    /// So many calls that do not end, within ten minutes, and the plugin is moved.
    static let hangLimit = 3
    /// What a plugin may keep of the server's memory while no call of it runs.
    static let idleBytes = 64 << 20

    private static let memory: Int64 = 600 * 1_000_000_000

    private var hangs: [Int64] = []
    private var isReported = false

    /// Notes a call that did not end.
    ///
    /// - Returns: whether it is one too many.
    mutating func hung(at now: Int64) -> Bool {
        hangs.removeAll { now &- $0 >= Self.memory }
        hangs.append(now)
        if hangs.count > Self.hangLimit { hangs.removeFirst() }
        return hangs.count == Self.hangLimit
    }

    /// Whether this is the first time that something is told.
    mutating func report() -> Bool {
        defer { isReported = true }
        return !isReported
    }
}
