// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
package import PluginABI
internal import Synchronization

/// Calls the health check of one data source again and again on the calling thread: what a call costs without a task that
/// waits for it, with its deadline, its limits, its sink and its metrics.
///
/// For measuring, with a plugin that never blocks and takes calls in parallel.
package final class CallProbe: CallReceiver {
    private let platform: PluginPlatform
    private let instance: PluginInstance
    private let calls: CallTable
    private let request = RequestMemory.health(depth: GF_HEALTH_CHEAP)
    private let times: CallTimes
    private let answered = Atomic<Int>(0)
    /// When the call began that runs now.
    private let began = Atomic<Int64>(0)

    /// - Throws: ``PluginError`` when the plugin cannot be called.
    package init(platform: PluginPlatform, pluginID: String) async throws {
        let source = DataSourceConfiguration(
            settings: DataSourceInstanceSettings(uid: "probe", name: "probe", pluginID: pluginID), version: 1)
        self.platform = platform
        instance = try await platform.reserve(source, feature: GF_HEALTH_EXT)
        guard let calls = instance.runtime.calls else {
            throw PluginError(.state, "plugin '\(pluginID)' is not open", source: .host)
        }
        self.calls = calls
        times = platform.metrics.times(pluginID: pluginID, endpoint: "checkHealth")
    }

    deinit { instance.unreserve() }

    /// Makes that many calls, one after another.
    ///
    /// - Returns: How many were answered well.
    package func run(_ count: Int) -> Int {
        let before = answered.load(ordering: .relaxed)
        for _ in 0..<count {
            began.store(MonotonicTime.now, ordering: .relaxed)
            _ = calls.begin(
                CallStart(
                    kind: GF_CALL_HEALTH, request: request.pointer, memory: request, instance: instance,
                    facts: CallFacts(), limits: platform.configuration.limits, input: nil, receiver: self))
        }
        return answered.load(ordering: .relaxed) - before
    }

    package func received(_ head: CallHead) {
        if head.status == GF_HEALTH_OK { answered.add(1, ordering: .relaxed) }
    }

    package func completed(_ error: PluginError?) {
        times.record(error, began: began.load(ordering: .relaxed))
    }
}
