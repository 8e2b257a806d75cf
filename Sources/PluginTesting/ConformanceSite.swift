// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import PluginABI
internal import PluginHost

/// The plugin at one place: a platform that has loaded it and nothing else.
struct ConformanceSite: Sendable {
    let place: ConformancePlace
    private let kit: PluginConformance
    private let platform: PluginPlatform

    /// Loads the plugin.
    init(_ place: ConformancePlace, _ kit: PluginConformance) async {
        self.place = place
        self.kit = kit
        let id = kit.plugin.id
        let folder = place == .grpc ? kit.plugin.program : kit.plugin.folder
        var loading = LoadingSettings()
        // A plugin is tested before it is signed, and as near to the server as the place says.
        loading.isDevelopment = true
        var runner = RunnerSettings()
        runner.permittedPaths = [id: kit.permittedPaths]
        platform = PluginPlatform(
            configuration: PlatformConfiguration(
                pluginPaths: place == .linked ? [:] : folder.map { [id: $0] } ?? [:], loading: loading,
                serverVersion: "12.4.0", isolation: IsolationPolicy(common: place.level), runner: runner,
                pluginSettings: [id: kit.operatorSettings]),
            builtins: place == .linked ? [kit.plugin.linked].compactMap { $0 } : [], keyValues: MemoryKeyValues(),
            logger: Logger(label: "conformance") { _ in SwiftLogNoOpLogHandler() })
        await platform.load()
    }

    /// Why the plugin does not run where it should; nil when it does.
    var fault: String? {
        guard let plugin = platform.plugin(id: kit.plugin.id), plugin.state == .running else {
            return platform.refusals.first { $0.isFault }.map { "\($0)" } ?? "it is not loaded"
        }
        return plugin.level == place.level ? nil : "it runs at the level '\(plugin.level?.name ?? "none")'"
    }

    // MARK: Calls

    /// Makes the call of a case once and reads it to its end.
    ///
    /// - Parameters:
    ///   - version: of the data source's settings.
    ///   - breaksOff: after how many events the reader cancels; nil: never.
    ///   - event: told after each event, with the number of them.
    func transcript(
        of one: ConformanceCase, version: Int = 1, breaksOff: Int? = nil,
        event: @Sendable (Int) async -> Void = { _ in }
    ) async -> CallTranscript {
        var stream: ConformanceStream?
        if case .run(let value) = one.call { stream = value }
        var transcript = CallTranscript(refIDs: one.call.refIDs, stream: stream)
        if breaksOff == 0 { Self.cancel() }
        do {
            let events = try await platform.events(
                of: one.call.pluginCall, source: source(one, version), facts: CallFacts(), limits: one.limits)
            for await found in events {
                if let stream, stream.events <= transcript.count, !found.isEnd { continue }
                transcript.add(found)
                await event(transcript.count)
                if transcript.count == breaksOff || transcript.count == stream?.events { Self.cancel() }
            }
        } catch {
            transcript.finish(error as? PluginError ?? PluginError(.internal, "\(error)"))
        }
        return transcript
    }

    private static func cancel() { withUnsafeCurrentTask { $0?.cancel() } }

    private func source(_ one: ConformanceCase, _ version: Int) -> DataSourceConfiguration {
        var settings = kit.settings
        if let jsonData = one.jsonData {
            settings.jsonData = jsonData
            settings.uid += "-of-a-case"
        }
        return DataSourceConfiguration(settings: settings, secrets: kit.secrets, version: version)
    }

    /// Asks another data source of the plugin for its health, whatever it says.
    func askBeside() async {
        var source = source(ConformanceCase("beside", proves: "", .health), 1)
        source.settings.uid += "-beside"
        _ = try? await platform.checkHealth(of: source, facts: CallFacts())
    }

    /// Deletes the data source.
    func forget() {
        platform.forgetDataSource(orgID: kit.settings.orgID, uid: kit.settings.uid, type: kit.plugin.id)
    }

    /// What the host counts against the plugin.
    struct Counts: Equatable {
        var abandoned = 0
        var restarts = 0
        var rulesBroken = 0
    }

    var counts: Counts {
        guard let plugin = platform.plugin(id: kit.plugin.id) else { return Counts() }
        return Counts(
            abandoned: plugin.callsAbandoned, restarts: plugin.process?.restarts ?? 0, rulesBroken: plugin.rulesBroken)
    }

    /// Loads the plugin again, so that what it broke before is forgotten: a process that fails often is not started at once.
    func beginAnew() async {
        // One that cannot be loaded again stays as it is, which the next case tells.
        try? await platform.reload(id: kit.plugin.id)
    }

    /// Waits until no call runs; false when some never end.
    func isQuiet() async -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(60)
        while clock.now < end {
            let counts = counts
            let running = platform.plugin(id: kit.plugin.id)?.callsRunning ?? 0
            // Calls that were given up may never end.
            if running <= counts.abandoned { return true }
            try? await clock.sleep(for: .milliseconds(2))
        }
        return false
    }

    func shutDown() async { await platform.shutDown() }
}

extension ConformanceCall {
    fileprivate var pluginCall: PluginCall {
        switch self {
        case .queries(let queries): .query(zip(queries, refIDs).map { $0.query(refID: $1) })
        case .health: .health
        case .resource(let request): .resource(request)
        case .subscribe(let request): .subscribe(request)
        case .publish(let request): .publish(request)
        case .run(let stream): .run(stream.request)
        }
    }

    /// Of the queries: A to Z, then A1 and so on.
    fileprivate var refIDs: [String] {
        guard case .queries(let queries) = self else { return [] }
        return queries.indices.map { index in
            let letter = String(UnicodeScalar(UInt8(65 + index % 26)))
            return index < 26 ? letter : "\(letter)\(index / 26)"
        }
    }
}

extension CallEvent {
    fileprivate var isEnd: Bool { if case .completed = self { true } else { false } }
}
