// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import GoPlugin
internal import Logging
internal import NIOCore
internal import PluginABI
internal import Processes
internal import Synchronization

/// A Grafana backend plugin: a program that answers over gRPC, behind the tables of a plugin that is linked in.
///
/// Safety: `description` is written in `init` only and lives as long as the backend.
final class GoBackend: PluginProcess, @unchecked Sendable {
    let id: String
    let version: String
    let userAgent: String
    let settings: GoPluginSettings
    let services: HostServices
    let supervisor: PluginSupervisor
    /// Nil without a limit.
    private let processorWatch: GoProcessorWatch?
    /// Whether queries are asked with QueryChunkedData; no longer once the plugin said that it has none.
    let usesChunks: Atomic<Bool>
    let description: UnsafePointer<gf_plugin_desc>
    private var texts = CArena()

    private init(
        _ plugin: ValidatedPlugin, _ launch: PluginLaunch, _ configuration: PlatformConfiguration,
        services: HostServices
    ) {
        let settings = configuration.goPlugins
        id = plugin.id
        version = plugin.descriptor.info.version
        userAgent = "Grafana/\(configuration.serverVersion) (\(Platform.current.os); \(Platform.current.architecture))"
        self.settings = settings
        self.services = services
        usesChunks = Atomic(settings.chunkedIDs.contains(plugin.id))
        let log = GoPluginLog(id: plugin.id, logger: services.logger)
        supervisor = PluginSupervisor(launch, on: services.eventLoops) {
            log.write($0)
        } news: {
            log.tell($0)
        }
        processorWatch = configuration.runner.callProcessorTime.map { [supervisor] in
            GoProcessorWatch(budget: $0, of: supervisor, on: services.eventLoops)
        }

        let memory = UnsafeMutablePointer<gf_plugin_desc>.allocate(capacity: 1)
        memory.initialize(to: gf_plugin_desc())
        description = UnsafePointer(memory)
        memory.pointee.struct_size = UInt32(MemoryLayout<gf_plugin_desc>.size)
        memory.pointee.kinds = GF_KIND_DATASOURCE | GF_KIND_APP | GF_KIND_PANEL
        memory.pointee.id = texts.text(id)
        memory.pointee.version = texts.text(version)
        memory.pointee.abi_built = GF_ABI_MINOR
        memory.pointee.abi_needed = 1
        memory.pointee.capabilities = GF_CAP_NEVER_BLOCKS
        memory.pointee.concurrency = GF_CONCURRENCY_PARALLEL
        memory.pointee.library = GoTables.shared.library
        memory.pointee.instance = GoTables.shared.instance
        memory.pointee.call = GoTables.shared.call
        memory.pointee.context = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { UnsafeMutablePointer(mutating: description).deallocate() }

    /// Starts the plugin's program and waits until it answers.
    ///
    /// - Throws: ``PluginRefusal``.
    static func start(
        _ plugin: ValidatedPlugin, configuration: PlatformConfiguration, services: HostServices
    ) async throws -> PluginBackend {
        let program = try GoProgram(plugin, settings: configuration.goPlugins)
        if let warning = program.warning {
            services.logger.warning(
                "Plugin program is run from its folder",
                metadata: ["plugin.id": "\(plugin.id)", "reason": "\(warning)"])
        }
        var launch = PluginLaunch(
            program.program, startTimeout: configuration.goPlugins.startTimeout,
            usesTLS: configuration.goPlugins.tlsIDs.contains(plugin.id))
        let (id, limits) = (plugin.id, configuration.runner.groupLimits)
        launch.makeGroup = { services.makeGroup(id, limits) }
        let backend = GoBackend(plugin, launch, configuration, services: services)
        do {
            try await backend.supervisor.start()
        } catch {
            throw PluginRefusal(
                .startFailed, pluginID: plugin.id, folder: plugin.folder, found: "\(error)",
                expected: "a handshake and a gRPC server", message: "its program did not start",
                remedy: "run it by hand to see why: "
                    + "grafana_plugin_type=datasource PLUGIN_PROTOCOL_VERSIONS=2 '\(program.program.path)'")
        }
        return PluginBackend(level: .process, description: backend.description, process: backend, owner: backend)
    }

    // MARK: The process

    var status: PluginProcessStatus {
        let status = supervisor.status
        return PluginProcessStatus(
            state: PluginProcessStatus.State(rawValue: status.phase.rawValue) ?? .stopped, processID: status.pid,
            restarts: status.restarts, memoryBytes: status.usage.memoryBytes,
            processorSeconds: status.usage.processorSeconds, limitsHit: status.limitsHit,
            lastFailure: status.lastFailure)
    }

    var removesConfigurations: Bool { false }

    func gaveUp() { supervisor.abandon(because: "it did not end a call") }

    func callBegan(isStream: Bool) { processorWatch?.began(isStream: isStream) }

    func callEnded(isStream: Bool, isCancelled: Bool) {
        processorWatch?.ended(isStream: isStream, isCancelled: isCancelled)
    }

    func end() {
        let supervisor = supervisor
        Task { await supervisor.stop() }
    }
}

/// Writes what a plugin's process says into the server's log, within a budget.
private final class GoPluginLog: Sendable {
    private let logger: Logger
    private let budget = Mutex(LogBudget())

    init(id: String, logger: Logger) {
        var logger = logger
        logger[metadataKey: "plugin.id"] = "\(id)"
        self.logger = logger
    }

    func write(_ line: PluginLogLine) {
        guard budget.withLock({ $0.spend() }) else { return }
        var metadata: Logger.Metadata = [:]
        for field in line.fields.prefix(64) { metadata[field.key] = "\(field.value.prefix(1_024))" }
        let dropped = budget.withLock { $0.takeDropped() }
        if dropped > 0 { metadata["dropped-lines"] = "\(dropped)" }
        let level: Logger.Level =
            switch line.level {
            case .trace, .debug: .debug
            case .info: .info
            case .warn: .warning
            case .error: .error
            }
        logger.log(level: level, "\(line.message.prefix(8_192))", metadata: metadata)
    }

    func tell(_ news: PluginSupervisor.News) {
        switch news {
        case .started(let pid):
            logger.info("Plugin process started", metadata: ["plugin.pid": "\(pid)"])
        case .failed(let reason, .some(let pause)):
            logger.warning("Plugin process failed", metadata: ["reason": "\(reason)", "restart-after": "\(pause)"])
        case .failed(let reason, nil):
            logger.error(
                "Plugin process failed too often and is left alone",
                metadata: ["reason": "\(reason)", "help": "docs/troubleshooting.md#process-broken"])
        }
    }
}
