// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import CPluginABI
public import Logging
internal import NIOCore
internal import NIOPosix
internal import PluginABI
internal import Processes
internal import Signing
public import ServiceLifecycle
internal import Synchronization

/// The plugin platform: loads plugins, keeps them current while the server runs, and carries calls to them.
///
/// ```swift
/// let platform = PluginPlatform(configuration: configuration, builtins: builtins, keyValues: store, logger: logger)
/// await platform.load()
/// for await event in try await platform.queryData(queries, of: source, facts: facts) { … }
/// ```
public final class PluginPlatform: Service {
    let configuration: PlatformConfiguration
    let registry = PluginRegistry()
    let services: HostServices
    let metrics = CallMetrics()
    let queryCache: QueryCache
    /// What all queries pass on their way to a plugin, the first outermost.
    let queryMiddlewares: [any QueryMiddleware]
    private let builtins: [BuiltinPlugin]
    let quarantine: QuarantineBook
    private let incidents: AsyncStream<PluginIncident>
    private let pipeline: LoadingPipeline
    let logger: Logger
    /// Where plugins run; changes while the server runs.
    private let isolation: Mutex<IsolationPolicy>
    /// One change of the set of plugins at a time.
    private let turn = Turn()
    /// Whether ``load()`` has ended.
    let isLoaded = Atomic(false)

    /// Prepares the shared services and the HTTP client; no plugin runs before ``load()``.
    public init(
        configuration: PlatformConfiguration, builtins: [BuiltinPlugin], keyValues: any KeyValueBackend, logger: Logger,
        verifier: any SignatureVerifier = TrustVerifier()
    ) {
        self.configuration = configuration
        queryCache = QueryCache(configuration.caching)
        queryMiddlewares = [RowLimit(maximum: configuration.rowLimit), queryCache]
        self.builtins = builtins
        self.logger = logger
        isolation = Mutex(configuration.isolation)
        pipeline = LoadingPipeline(settings: configuration.loading, verifier: verifier, logger: logger)
        let eventLoops = MultiThreadedEventLoopGroup.singleton
        var http = AsyncHTTPClient.HTTPClient.Configuration()
        // HTTPRedirect follows those that stay on their server.
        http.redirectConfiguration = .disallow
        http.timeout.connect = .nanoseconds(configuration.http.dialTimeout.nanoseconds)
        http.connectionPool.idleTimeout = .nanoseconds(configuration.http.idleTimeout.nanoseconds)
        http.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = configuration.http.maxConnectionsPerHost
        http.httpVersion = .http1Only
        // A server that refuses is told at once, and not tried again until the time is over.
        http.connectionPool.retryConnectionEstablishment = false
        quarantine = QuarantineBook(mode: configuration.quarantine, store: keyValues, logger: logger)
        let (incidents, told) = AsyncStream.makeStream(
            of: PluginIncident.self, bufferingPolicy: .bufferingNewest(1_024))
        self.incidents = incidents
        services = HostServices(
            logger: logger, watchdog: Watchdog(), keyValues: keyValues, eventLoops: eventLoops,
            http: AsyncHTTPClient.HTTPClient(eventLoopGroupProvider: .shared(eventLoops), configuration: http),
            httpDefaults: configuration.http, pluginSettings: configuration.pluginSettings,
            groups: Self.controlGroups(configuration.controlGroups, logger), incidents: told)
        Self.guardProcesses(configuration.runner, logger)
    }

    // MARK: What there is

    /// The registered plugins, sorted by name.
    public var plugins: [PluginInfo] { registry.all.map(info) }

    /// A registered plugin by its id or an alias.
    public func plugin(id: String) -> PluginInfo? { registry[id].map(info) }

    private func info(_ entry: PluginRegistry.Entry) -> PluginInfo {
        PluginInfo(entry, quarantine: quarantine[entry.plugin.id])
    }

    /// Why folders did not become plugins.
    public var refusals: [PluginRefusal] { registry.refusals }

    // MARK: Loading

    /// Loads the built-in plugins and those of all folders.
    ///
    /// What fails is in ``refusals``.
    public func load() async {
        await quarantine.load()
        await turn.take { await loadBuiltins() }
        await turn.take { _ = await reloadNow(folders: nil) }
        isLoaded.store(true, ordering: .releasing)
    }

    private func loadBuiltins() async {
        for builtin in builtins {
            do {
                let descriptor = try PluginDescriptor(pluginJSON: Array(builtin.descriptorJSON.utf8))
                if let setting = configuration.loading.setting(leavingOut: descriptor.id) {
                    logger.info(
                        "Built-in plugin is left out",
                        metadata: ["plugin.id": "\(descriptor.id)", "setting": "\(setting)"])
                    continue
                }
                try await initialize(ValidatedPlugin(linkedIn: descriptor), builtin: builtin.entry)
            } catch let refusal as PluginRefusal {
                refused(refusal)
            } catch {
                logger.critical("Built-in plugin has a broken description", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Looks at the folders again: what is new is loaded, what changed is replaced, what is gone is removed.
    ///
    /// - Parameter folders: the folders to look at; nil: all.
    /// - Returns: what was refused.
    @discardableResult
    public func reload(folders: [String]? = nil) async -> [PluginRefusal] {
        if folders == nil { readIsolation() }
        return await turn.take { await reloadNow(folders: folders) }
    }

    /// Changes where plugins run.
    ///
    /// One that has to move is started at its new level beside the old one, which takes no new call and ends with its last
    /// one: no call is lost.
    ///
    /// - Returns: what was refused. A plugin that cannot start at its new level stays where it was.
    @discardableResult
    public func setIsolation(_ policy: IsolationPolicy) async -> [PluginRefusal] {
        isolation.withLock { $0 = policy }
        return await turn.take { await reloadNow(folders: nil) }
    }

    /// Reads the operator's settings again; what cannot be read changes nothing.
    private func readIsolation() {
        guard let read = configuration.readIsolation else { return }
        do {
            let policy = try read()
            isolation.withLock { $0 = policy }
        } catch {
            logger.error(
                "Settings were not read again: plugins stay at their levels", metadata: ["reason": "\(error)"])
        }
    }

    /// Where a plugin with a library runs.
    func level(of plugin: ValidatedPlugin) -> IsolationLevel {
        isolation.withLock { $0 }.level(of: plugin, isDevelopment: configuration.loading.isDevelopment)
    }

    /// Loads one plugin again from its folder, also when nothing changed.
    ///
    /// - Throws: ``PluginRefusal`` when the new version is refused: the old one then stays; ``PluginError`` `.notFound`.
    public func reload(id: String) async throws {
        guard let entry = registry[id] else {
            throw PluginError(.notFound, "plugin '\(id)' is not installed", source: .host)
        }
        guard entry.plugin.pluginClass == .external else {
            throw PluginError(.forbidden, "plugin '\(id)' is part of the server", source: .host)
        }
        readIsolation()
        let refusals = await turn.take { await self.reloadNow(folders: [entry.plugin.sourceFolder], isForced: true) }
        if let refusal = refusals.first(where: { $0.pluginID == entry.plugin.id }) { throw refusal }
    }

    private func reloadNow(folders requested: [String]?, isForced: Bool = false) async -> [PluginRefusal] {
        // A removed plugin may make room for another folder with the same id, which only a look at all folders finds.
        let folders = registry.refusals.contains { $0.code == .duplicateID } ? nil : requested
        let sources =
            folders.map { $0.map { PluginSource.folder(path: $0, class: .external) } } ?? configuration.sources
        let prepared = await pipeline.prepare(sources: sources, registered: registry.folders)
        registry.setRefusals(prepared.refusals, inFolders: folders)
        let changed = prepared.validated.filter { isForced || !refresh($0) }
        // Programs and processes start side by side: one that hangs keeps no other one waiting.
        await withDiscardingTaskGroup { group in
            for plugin in changed where plugin.executableImage != nil || level(of: plugin) > .inProcess {
                group.addTask { await self.start(plugin) }
            }
            for plugin in changed where plugin.executableImage == nil && level(of: plugin) <= .inProcess {
                await start(plugin)
            }
        }
        await removeMissing(prepared, folders: folders)
        return registry.refusals.filter { refusal in
            folders?.contains { refusal.folder == $0 || refusal.folder.hasPrefix($0 + "/") } ?? true
        }
    }

    private func start(_ plugin: ValidatedPlugin) async {
        do {
            try await initialize(plugin, builtin: nil)
        } catch let refusal as PluginRefusal {
            refused(refusal)
        } catch {
            logger.error("Plugin not loaded", metadata: ["plugin.id": "\(plugin.id)", "error": "\(error)"])
        }
    }

    /// Keeps the running generation of a plugin whose code, plugin.json and level are the same as before; its files may
    /// differ.
    private func refresh(_ plugin: ValidatedPlugin) -> Bool {
        guard var entry = registry[plugin.id], entry.plugin.id == plugin.id, entry.plugin.folder == plugin.folder,
            entry.plugin.descriptor.json == plugin.descriptor.json,
            entry.plugin.signature.grantsTheSame(as: plugin.signature),
            entry.plugin.image?.digest == plugin.image?.digest,
            entry.plugin.executableImage?.digest == plugin.executableImage?.digest,
            entry.generation == nil || plugin.image == nil || entry.generation?.library.level == level(of: plugin)
        else { return false }
        let (image, executableImage) = (entry.plugin.image, entry.plugin.executableImage)
        entry.plugin = plugin
        entry.plugin.image = image
        entry.plugin.executableImage = executableImage
        _ = registry.register(entry)
        return true
    }

    /// Who is trusted has changed: ends the plugins that are trusted no longer, and loads those that are trusted now.
    ///
    /// A plugin is judged by what was verified when it was loaded, whatever became of its files. Running calls of one that
    /// has to end go on to their end, streams are cancelled, and new calls get the reason.
    public func trustChanged() async {
        await turn.take {
            for entry in registry.all where entry.plugin.pluginClass == .external { await judgeAgain(entry) }
            _ = await reloadNow(folders: nil)
        }
    }

    private func judgeAgain(_ entry: PluginRegistry.Entry) async {
        var entry = entry
        let (id, before) = (entry.plugin.id, entry.plugin.signature)
        let sealed = [entry.plugin.image, entry.plugin.executableImage].compactMap { $0 }
        entry.plugin.signature = pipeline.verifier.rejudge(before, sealed: sealed).narrowed(to: entry.plugin.descriptor)
        let judged = entry.plugin.signature
        if judged.status != before.status, let refusal = judged.refusal(of: id, folder: entry.plugin.folder) {
            return unload(id, refusal)
        }
        guard !judged.grantsTheSame(as: before) else {
            _ = registry.register(entry)
            return
        }
        do {
            // What was sealed runs again, as near to the server as it may now.
            try await initialize(entry.plugin, builtin: nil)
        } catch {
            unload(
                id,
                error as? PluginRefusal
                    ?? PluginRefusal(
                        .startFailed, pluginID: id, folder: entry.plugin.folder, found: "\(error)",
                        message: "it could not be started at the level that it is trusted with now",
                        remedy: "see the server's log"))
        }
    }

    private func unload(_ id: String, _ refusal: PluginRefusal) {
        registry.deregister(id)?.generation?.drain()
        registry.addRefusal(refusal)
        logger.error(
            "Plugin unloaded: it is no longer trusted",
            metadata: [
                "plugin.id": "\(id)", "code": "\(refusal.code)",
                "signature.code": "\(refusal.signature?.code.rawValue ?? "")", "reason": "\(refusal)",
                "help": "\(refusal.documentation)",
            ])
    }

    private func refused(_ refusal: PluginRefusal) {
        registry.addRefusal(refusal)
        logger.warning(
            "Plugin not loaded",
            metadata: [
                "plugin.id": "\(refusal.pluginID ?? "")", "code": "\(refusal.code)", "reason": "\(refusal)",
                "help": "\(refusal.documentation)",
            ])
    }

    /// Initialization and registration: opens the library, then lets it take the place of the generation before.
    ///
    /// - Parameters:
    ///   - isDisabled: whether it is switched off; nil: as before.
    ///   - keepsState: whether the instances before hand over what they know, which one that hangs would not.
    func initialize(
        _ plugin: ValidatedPlugin, builtin: gf_entry_fn?, isDisabled: Bool? = nil, keepsState: Bool = true
    ) async throws {
        let old = registry[plugin.id]
        let number = (old?.number ?? 0) + 1
        let isDisabled = isDisabled ?? old?.isDisabled ?? configuration.disabledIDs.contains(plugin.id)
        var generation: PluginGeneration?
        if !isDisabled, let backend = try await backend(of: plugin, builtin: builtin) {
            let library = try await PluginLibrary.open(plugin, backend: backend, services: services)
            let saved = keepsState ? await old?.generation?.saveStates() ?? [:] : [:]
            generation = PluginGeneration(plugin: plugin, library: library, number: number, handedOver: saved)
        }
        let replaced = registry.register(
            .init(plugin: plugin, generation: generation, number: number, isDisabled: isDisabled))
        replaced?.generation?.drain()
        logger.info(
            "Plugin registered",
            metadata: [
                "plugin.id": "\(plugin.id)", "plugin.version": "\(plugin.descriptor.info.version)",
                "plugin.generation": "\(number)",
                "plugin.level": "\(generation?.library.level.name ?? "none")",
            ])
    }

    /// Termination of the plugins whose folders are gone.
    private func removeMissing(_ prepared: PreparedPlugins, folders: [String]?) async {
        let present = Set(prepared.validated.map(\.id) + prepared.refusals.compactMap(\.pluginID))
        for entry in registry.all where entry.plugin.pluginClass == .external && !present.contains(entry.plugin.id) {
            let source = entry.plugin.sourceFolder
            if let folders, !folders.contains(source) { continue }
            // A folder whose plugin.json cannot be read right now, as in the middle of a copy, is not gone.
            let isFaulty = prepared.refusals.contains { refusal in
                refusal.code != .folderMissing && (refusal.folder == source || refusal.folder.hasPrefix(source + "/"))
            }
            if isFaulty { continue }
            let removed = registry.deregister(entry.plugin.id)
            removed?.generation?.drain()
            logger.info("Plugin removed", metadata: ["plugin.id": "\(entry.plugin.id)"])
        }
    }

    /// Switches a plugin on or off; running calls go on to their end.
    ///
    /// - Throws: ``PluginError`` `.notFound`, or ``PluginRefusal`` when it cannot be loaded.
    public func setEnabled(_ isEnabled: Bool, id: String) async throws {
        try await turn.takeThrowing {
            guard var entry = self.registry[id] else {
                throw PluginError(.notFound, "plugin '\(id)' is not installed", source: .host)
            }
            guard entry.isDisabled == isEnabled else { return }
            if isEnabled {
                let builtin = try self.builtinEntry(id: entry.plugin.id)
                try await self.initialize(entry.plugin, builtin: builtin, isDisabled: false)
            } else {
                let old = entry.generation
                entry.isDisabled = true
                entry.generation = nil
                _ = self.registry.register(entry)
                old?.drain()
            }
        }
    }

    private func builtinEntry(id: String) throws -> gf_entry_fn? {
        for builtin in builtins where try PluginDescriptor(pluginJSON: Array(builtin.descriptorJSON.utf8)).id == id {
            return builtin.entry
        }
        return nil
    }

    /// A data source was deleted: its instance goes.
    public func forgetDataSource(orgID: Int64, uid: String, type: String) {
        registry[type]?.generation?.retireInstance(orgID: orgID, uid: uid)
        queryCache.forget(orgID: orgID, uid: uid)
    }

    // MARK: Running

    /// Watches the plugin folders until the server shuts down, then lets running calls end and closes all plugins.
    public func run() async throws {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.followIncidents() }
            await followFolders()
            services.incidents.finish()
        }
        await shutDown()
    }

    /// After this time a watch is asked for again that the system did not give.
    private static let watchPeriod = Duration.seconds(10)

    private func followFolders() async {
        var hasFailed = false
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            do {
                // What is part of the server changes with the server.
                let watcher = try PluginWatcher(sources: configuration.sources.filter { $0.pluginClass == .external })
                await follow(watcher, hasMissedChanges: hasFailed)
            } catch {
                if !hasFailed {
                    logger.warning(
                        "Plugin folders cannot be watched yet; until they are, use POST /api/plugins/reload",
                        metadata: ["next-try": "\(Self.watchPeriod)", "error": "\(error)"])
                }
                hasFailed = true
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.watchPeriod) }
            }
        }
    }

    private func follow(_ watcher: PluginWatcher, hasMissedChanges: Bool) async {
        await withGracefulShutdownHandler {
            if hasMissedChanges { await reload(folders: nil) }
            for await change in watcher.changes {
                if let warning = change.warning {
                    logger.warning("Plugin folders are watched in part", metadata: ["reason": "\(warning)"])
                }
                await reload(folders: change.needsFullRescan ? nil : change.folders)
            }
        } onGracefulShutdown: {
            watcher.stop()
        }
    }

    // MARK: Quarantine

    /// Moves plugins out of the server's process that do harm there, until nothing more is told.
    func followIncidents() async {
        for await incident in incidents {
            await moveOut(incident.runtime, incident.cause, incident.reason)
        }
    }

    /// New calls of the plugin go to a process; those that run, also what hangs, stay where they are.
    private func moveOut(_ runtime: PluginRuntime, _ cause: PluginQuarantine.Cause, _ reason: String) async {
        await turn.take {
            guard let entry = self.registry[runtime.id], let library = entry.generation?.library,
                library.runtime === runtime, entry.plugin.image != nil
            else { return }
            await self.quarantine.add(entry.plugin, cause, reason)
            do {
                try await self.initialize(entry.plugin, builtin: nil, keepsState: false)
            } catch {
                self.logger.error(
                    "A quarantined plugin stays in the server's process: it cannot be started in its own",
                    metadata: ["plugin.id": "\(runtime.id)", "reason": "\(error)"])
            }
        }
    }

    /// Trusts a quarantined plugin again, and moves it back to where it may run.
    ///
    /// - Throws: ``PluginError`` `.notFound` when it is not quarantined; ``PluginRefusal``.
    public func releaseFromQuarantine(id: String) async throws {
        guard await quarantine.release(registry[id]?.plugin.id ?? id) else {
            throw PluginError(.notFound, "plugin '\(id)' is not quarantined", source: .host)
        }
        guard registry[id] != nil else { return }
        try await turn.takeThrowing {
            guard let entry = self.registry[id], entry.generation != nil else { return }
            try await self.initialize(entry.plugin, builtin: nil)
        }
    }

    /// Ends the calls that run, since the server ends; their callers are told so.
    ///
    /// Others may begin afterwards.
    public func endCalls() {
        services.isEnding.store(true, ordering: .relaxed)
        services.watchdog.cancelAll(
            PluginError(
                .state, "the server is shutting down; ask again", source: .host, httpStatus: 503,
                retryAfter: .seconds(1)))
    }

    /// Ends all plugins; for tests and tools that do not use ``run()``.
    public func shutDown() async {
        let generations = registry.all.compactMap(\.generation)
        for generation in generations { generation.drain() }
        let clock = ContinuousClock()
        let end = clock.now + .seconds(5)
        while clock.now < end, generations.contains(where: \.isBusy) {
            try? await clock.sleep(for: .milliseconds(5))
        }
        services.watchdog.stop()
        try? await services.http.shutdown()
    }
}

extension PluginInfo {
    init(_ entry: PluginRegistry.Entry, quarantine: PluginQuarantine?) {
        let plugin = entry.plugin
        let counters = entry.generation?.library.runtime.counters
        self.init(
            id: plugin.id, aliasIDs: plugin.descriptor.aliasIDs, name: plugin.descriptor.name,
            version: plugin.descriptor.info.version, descriptor: plugin.descriptor, pluginClass: plugin.pluginClass,
            signature: plugin.signature, assets: plugin.assets, files: plugin.files,
            level: entry.generation?.library.level, generation: entry.number,
            state: entry.isDisabled ? .disabled : entry.generation == nil ? .frontendOnly : .running,
            folder: plugin.folder, callsRunning: counters?.running.load(ordering: .relaxed) ?? 0,
            callsTotal: counters?.total.load(ordering: .relaxed) ?? 0,
            callsAbandoned: counters?.abandoned.load(ordering: .relaxed) ?? 0,
            rulesBroken: counters?.misbehaviours.load(ordering: .relaxed) ?? 0,
            process: entry.generation?.library.process?.status, quarantine: quarantine,
            description: entry.generation?.library.description ?? "")
    }
}
