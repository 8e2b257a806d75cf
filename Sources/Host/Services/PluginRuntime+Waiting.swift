// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI

/// How requests and sockets, which belong to a call, reach its plugin.
extension PluginRuntime {
    /// Tells the plugin that something has come for one of the call's requests; a plugin that blocks is woken.
    func waking(_ call: OpaquePointer, with event: UInt32) -> @Sendable (_ source: UInt64) -> Void {
        let (index, generation) = CallSlot.parts(of: call)
        return { [weak self] source in
            guard let self else { return }
            if isBlocking {
                creditGate.broadcast()
            } else {
                calls?.resume(index: index, generation: generation, event: event, source: source)
            }
        }
    }

    /// Whether the call still wants answers.
    func wanting(_ call: OpaquePointer) -> @Sendable () -> Bool {
        let (index, generation) = CallSlot.parts(of: call)
        return { [weak self] in
            self?.calls?.withRunning(CallSlot.handle(index: index, generation: generation)) { state, _ in
                state.cancelReason == nil
            } ?? false
        }
    }

    /// An answer; a plugin that declared that it blocks waits here instead of being told AGAIN.
    func answer(while isWanted: () -> Bool, _ ask: () -> gf_status) -> gf_status {
        var status = ask()
        while status == GF_AGAIN, isBlocking {
            guard isWanted() else { return GF_CANCELLED }
            creditGate.wait {
                status = ask()
                return status != GF_AGAIN
            }
        }
        return status
    }
}
