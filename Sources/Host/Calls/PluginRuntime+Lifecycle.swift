// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI
internal import Synchronization

extension PluginRuntime {
    /// Runs `open` or `create` on a thread of the plugin and waits for what it makes.
    ///
    /// - Parameter late: what to do with an object that comes after the time is over.
    /// - Throws: ``PluginError``: what the plugin said, or `.timeout`.
    func lifecycle(
        timeout: Duration,
        _ body: @escaping @Sendable (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> gf_status,
        late: @escaping @Sendable (OpaquePointer) -> Void
    ) async throws -> OpaquePointer {
        guard let calls else { throw PluginError(.state, "plugin '\(id)' is not open", source: .host) }
        let receiver = LifecycleReceiver()
        return try await withCheckedThrowingContinuation { continuation in
            receiver.continuation.withLock { $0 = continuation }
            calls.beginLifecycle(limits: CallLimits(time: timeout), receiver: receiver) { handle in
                var made: OpaquePointer?
                let status = body(handle, &made)
                guard status == GF_OK else { return status }
                guard let made else { return GF_INTERNAL }
                if !receiver.succeeded(MadeObject(pointer: made)) { late(made) }
                return GF_OK
            }
        }
    }
}

/// Safety: an address that is only handed back to the plugin that made it.
private struct MadeObject: @unchecked Sendable {
    let pointer: OpaquePointer
}

/// Resumes the waiting task once: with the object, or with the reason why there is none.
private final class LifecycleReceiver: CallReceiver {
    let continuation = Mutex<CheckedContinuation<OpaquePointer, any Error>?>(nil)

    /// False when nobody waits any more.
    func succeeded(_ object: MadeObject) -> Bool {
        let waiting = continuation.withLock { slot in
            defer { slot = nil }
            return slot
        }
        waiting?.resume(returning: object.pointer)
        return waiting != nil
    }

    func completed(_ error: PluginError?) {
        let waiting = continuation.withLock { slot in
            defer { slot = nil }
            return slot
        }
        waiting?.resume(throwing: error ?? PluginError(.internal, "the plugin made nothing"))
    }
}
