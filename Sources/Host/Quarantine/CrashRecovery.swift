// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CQuarantine
internal import Glibc

/// What a server knows of the image of it that crashed just before, in the same process.
public struct CrashRecovery: Sendable {
    /// One crash of the process.
    struct Crash: Sendable, Equatable {
        /// Nanoseconds of the monotonic clock.
        var time: Int64
        /// Seconds since the epoch.
        var wallSeconds: Int64
        var signal: Int32
        /// The plugin that seems to be the cause; empty when none does.
        var pluginID = ""
        /// Of the plugin's library.
        var digest = ""
        /// Such as `in a call to queryData`; empty when that is not known.
        var place = ""

        /// Such as `crashed the server with signal 11 (Segmentation fault) in a call to queryData`.
        var reason: String {
            let name = String(cString: strsignal(signal))
            return "crashed the server with signal \(signal) (\(name))" + (place.isEmpty ? "" : " " + place)
        }
    }

    /// Crashes of this process, the oldest first; more than eight are not remembered.
    var crashes: [Crash] = []
    /// There was a crash, and nothing is known of it.
    var isUnreadable = false

    /// Takes over what the crashed image left.
    ///
    /// Called once, before the program starts anything: children of the image before are waited for, and its
    /// descriptors hidden from what is started now.
    public static func begin() -> CrashRecovery {
        var recovery = CrashRecovery()
        recovery.isUnreadable = quarantine_begin() < 0
        var noted = [quarantine_crash_t](repeating: quarantine_crash_t(), count: Int(QUARANTINE_HISTORY))
        let count = quarantine_crashes(&noted)
        recovery.crashes = noted.prefix(Int(count)).map(Crash.init)
        return recovery
    }

    /// So many crashes without a culprit, within ten minutes, and nobody is trusted any more.
    static let unexplainedLimit = 3

    /// Whether the crashes that nobody explains are so many that no plugin stays in the server's process.
    func trustsNobody(at now: Int64) -> Bool {
        let fresh = crashes.filter { $0.pluginID.isEmpty && now &- $0.time < Int64(QUARANTINE_MEMORY) }
        return isUnreadable || fresh.count >= Self.unexplainedLimit
    }
}

extension CrashRecovery.Crash {
    /// Reads a note of the handler, which is a hint: the process that wrote it was broken.
    fileprivate init(_ noted: quarantine_crash_t) {
        var noted = noted
        self.init(time: noted.monotonic, wallSeconds: noted.wall, signal: noted.signal)
        pluginID = withUnsafeBytes(of: &noted.plugin) { Self.text($0) }
        digest = withUnsafeBytes(of: &noted.digest) { Self.text($0) }
        place = Self.place(hook: noted.hook, kind: UInt32(bitPattern: noted.kind))
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static let kinds: [UInt32: String] = [
        GF_CALL_QUERY: "queryData", GF_CALL_HEALTH: "checkHealth", GF_CALL_RESOURCE: "callResource",
        GF_CALL_SUBSCRIBE: "subscribeStream", GF_CALL_PUBLISH: "publishStream", GF_CALL_RUN_STREAM: "runStream",
    ]

    private static func place(hook: Int32, kind: UInt32) -> String {
        switch PluginHook(rawValue: hook) {
        case .load: "while it was loaded"
        case .library: "while its library was opened or closed"
        case .create: "while an instance was made"
        case .start, .resume: "in a call to " + (kinds[kind] ?? "it")
        case .cancel: "while a call was cancelled"
        case .release: "while a call was released"
        case .destroy: "while an instance was destroyed"
        case nil: ""
        }
    }
}

/// What a function of a plugin is called for; the numbers are `QUARANTINE_HOOK_…`.
enum PluginHook: Int32 {
    case load = 1
    case library, create, start, resume, cancel, release, destroy
}

/// A plugin whose code runs in the server's process, as the handler of crashes knows it.
///
/// Safety: the C object lives for ever and is written with atomics.
struct SuspectPlugin: @unchecked Sendable {
    private let pointer: OpaquePointer

    /// nil without memory.
    init?(id: String, digest: String) {
        guard let pointer = quarantine_plugin(id, digest) else { return nil }
        self.pointer = pointer
    }

    /// Tells where the library lies that has the symbol.
    func mapped(symbol: UnsafeRawPointer) { quarantine_mapped(pointer, symbol) }

    /// Runs a function of the plugin, so that a crash meanwhile is known as its.
    func call<R>(_ hook: PluginHook, kind: UInt32, _ body: () throws -> R) rethrows -> R {
        let before = quarantine_enter(pointer, hook.rawValue, Int32(bitPattern: kind))
        defer { quarantine_leave(before) }
        return try body()
    }
}

extension Optional where Wrapped == SuspectPlugin {
    /// Runs a function of a plugin; one that does not run in the server's process is no suspect.
    @inline(__always)
    func call<R>(_ hook: PluginHook, kind: UInt32 = 0, _ body: () throws -> R) rethrows -> R {
        guard let suspect = self else { return try body() }
        return try suspect.call(hook, kind: kind, body)
    }
}
