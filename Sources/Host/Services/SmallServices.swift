// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Logging
internal import NIOCore
internal import PluginABI
internal import Synchronization

/// `gf.secrets/1`.
enum SecretsService {
    static func table() -> gf_secrets_host {
        var table = gf_secrets_host()
        table.struct_size = UInt32(MemoryLayout<gf_secrets_host>.size)
        table.get = { host, config, name, secretOut, lengthOut in
            secretOut?.pointee = gf_buffer()
            lengthOut?.pointee = 0
            guard let runtime = PluginRuntime.from(host), let configuration = runtime.configurations[config]
            else { return GF_STATE }
            guard let secret = configuration.secrets[String(name)] else { return GF_NOT_FOUND }
            return runtime.buffers.lend(copying: secret.utf8, isSecret: true, into: secretOut, length: lengthOut)
        }
        return table
    }
}

/// `gf.settings/1`.
enum SettingsService {
    static func table() -> gf_settings_host {
        var table = gf_settings_host()
        table.struct_size = UInt32(MemoryLayout<gf_settings_host>.size)
        table.get = { host, key, valueOut, lengthOut in
            valueOut?.pointee = gf_buffer()
            lengthOut?.pointee = 0
            guard let runtime = PluginRuntime.from(host) else { return GF_STATE }
            guard let value = runtime.services.pluginSettings[runtime.id]?[String(key)] else { return GF_NOT_FOUND }
            return runtime.buffers.lend(copying: value.utf8, into: valueOut, length: lengthOut)
        }
        return table
    }
}

/// `gf.timer/1`.
enum TimerService {
    static func table() -> gf_timer_host {
        var table = gf_timer_host()
        table.struct_size = UInt32(MemoryLayout<gf_timer_host>.size)
        table.arm = { host, call, delay, timerOut in
            timerOut?.pointee = 0
            guard delay >= 0 else { return GF_INVALID }
            guard let runtime = PluginRuntime.from(host), let call, let calls = runtime.calls else { return GF_STATE }
            let timer = CallTimer(of: call, in: runtime.timers, calls)
            guard let isKept = calls.withRunning(call, { state, _ in state.resources.add(timer) }) else {
                return GF_STATE
            }
            guard isKept else { return GF_LIMIT }
            timerOut?.pointee = timer.start(on: runtime.services.eventLoops.next(), after: delay)
            return GF_OK
        }
        table.disarm = { host, timer in PluginRuntime.from(host)?.timers[timer]?.disarm() }
        return table
    }
}

/// One armed timer of a call.
final class CallTimer: CallResource {
    static let maxPerCall = 1_024

    private struct State {
        var id: UInt64 = 0
        var task: Scheduled<Void>?
        var isOver = false
    }

    private let index: Int
    private let generation: UInt
    private let calls: CallTable
    private let armed: HandleTable<CallTimer>
    private let state = Mutex(State())

    init(of call: OpaquePointer, in armed: HandleTable<CallTimer>, _ calls: CallTable) {
        (index, generation) = CallSlot.parts(of: call)
        self.armed = armed
        self.calls = calls
    }

    /// - Returns: the number by which the plugin names it.
    func start(on eventLoop: any EventLoop, after delay: Int64) -> UInt64 {
        let id = armed.add(self)
        state.withLock { state in
            state.id = id
            // Scheduled under the lock, so that the end of the call, which may come at any time, finds the task.
            if !state.isOver { state.task = eventLoop.scheduleTask(in: .nanoseconds(delay)) { self.fire() } }
        }
        if state.withLock({ $0.isOver }) { armed.remove(id) }
        return id
    }

    private func fire() {
        guard let id = end() else { return }
        calls.resume(index: index, generation: generation, event: GF_EVENT_TIMER, source: id)
    }

    func disarm() { _ = end() }

    func endWithCall() { disarm() }

    /// Takes it out of everything; nil when it had ended before.
    private func end() -> UInt64? {
        let ended = state.withLock { state -> (id: UInt64, task: Scheduled<Void>?)? in
            guard !state.isOver else { return nil }
            state.isOver = true
            defer { state.task = nil }
            return (state.id, state.task)
        }
        guard let ended else { return nil }
        ended.task?.cancel()
        armed.remove(ended.id)
        calls.removeResource(self, index: index, generation: generation)
        return ended.id
    }
}

extension CallTable {
    func removeResource(_ resource: any CallResource, index: Int, generation: UInt) {
        _ = withRunning(CallSlot.handle(index: index, generation: generation)) { state, _ in
            state.resources.remove(resource)
        }
    }
}

/// `gf.kv/1`.
enum KeyValueService {
    static func table() -> gf_kv_host {
        var table = gf_kv_host()
        table.struct_size = UInt32(MemoryLayout<gf_kv_host>.size)
        table.get = { host, config, key, valueOut, lengthOut, versionOut in
            valueOut?.pointee = gf_buffer()
            return KeyValueService.run(host, config) { runtime, scope in
                guard let (value, version) = try runtime.services.keyValues.get(scope: scope, key: String(key)) else {
                    return GF_NOT_FOUND
                }
                versionOut?.pointee = version
                return runtime.buffers.lend(copying: value, into: valueOut, length: lengthOut)
            }
        }
        table.put = { host, config, key, value, version, versionOut in
            KeyValueService.run(host, config) { runtime, scope in
                try KeyValueService.put(runtime, scope, String(key), [UInt8](value), version, versionOut)
            }
        }
        table.remove = { host, config, key in
            KeyValueService.run(host, config) { runtime, scope in
                try runtime.services.keyValues.remove(scope: scope, key: String(key))
                return GF_OK
            }
        }
        table.list = { host, config, prefix, keysOut, lengthOut in
            keysOut?.pointee = gf_buffer()
            return KeyValueService.run(host, config) { runtime, scope in
                let keys = try runtime.services.keyValues.keys(scope: scope, prefix: String(prefix))
                let text = JSONValue.array(keys.map { .string($0) }).encoded()
                return runtime.buffers.lend(copying: text.utf8, into: keysOut, length: lengthOut)
            }
        }
        return table
    }

    private static func put(
        _ runtime: PluginRuntime, _ scope: String, _ key: String, _ value: [UInt8], _ version: Int64,
        _ versionOut: UnsafeMutablePointer<Int64>?
    ) throws -> gf_status {
        guard !key.isEmpty, key.utf8.count <= Int(GF_KV_MAX_KEY), value.count <= Int(GF_KV_MAX_VALUE) else {
            return GF_LIMIT
        }
        let store = runtime.services.keyValues
        guard try store.totalBytes(scope: scope) + key.utf8.count + value.count <= Int(GF_KV_MAX_TOTAL) else {
            return GF_LIMIT
        }
        let wanted = version == Int64(GF_KV_ANY_VERSION) ? nil : version
        versionOut?.pointee = try store.put(scope: scope, key: key, value: value, version: wanted)
        return GF_OK
    }

    private static func run(
        _ host: UnsafePointer<gf_host>?, _ config: UInt64, _ body: (PluginRuntime, String) throws -> gf_status
    ) -> gf_status {
        guard let runtime = PluginRuntime.from(host), let configuration = runtime.configurations[config]
        else { return GF_STATE }
        do {
            return try body(runtime, "\(runtime.id)/\(configuration.settings.orgID)/\(configuration.settings.uid)")
        } catch let error as PluginError {
            return error.code.rawValue
        } catch {
            runtime.services.logger.error("Key-value store failed", metadata: ["error": "\(error)"])
            return GF_IO
        }
    }
}
