// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import CRunnerProtocol
internal import Glibc
internal import Logging
internal import PluginABI
internal import Processes
internal import Synchronization

extension PluginBackend {
    /// L2 and L3: the sealed image, opened by a process of its own.
    ///
    /// The process is started now, so that what is wrong with the library is told when the plugin is loaded; later ones are
    /// started when they are called.
    ///
    /// - Throws: ``PluginRefusal``.
    static func isolated(
        _ plugin: ValidatedPlugin, level: IsolationLevel, settings: RunnerSettings, services: HostServices,
        serverVersion: String
    ) async throws -> PluginBackend {
        guard let image = plugin.image else {
            throw PluginRefusal(
                .libraryMissing, pluginID: plugin.id, folder: plugin.folder, message: "it names no library",
                remedy: "add \"library\" to its plugin.json")
        }
        guard let executable = settings.executable else {
            throw PluginRefusal(
                .runnerMissing, pluginID: plugin.id, folder: plugin.folder,
                found: settings.path.isEmpty
                    ? "none in \(RunnerSettings.folders.joined(separator: ", "))" : settings.path,
                expected: RunnerSettings.program,
                message: "the program that runs plugins in processes of their own is missing",
                remedy: "install \(RunnerSettings.program) beside the server, or set [plugins] runner_path")
        }
        let launch = RunnerLaunch(
            pluginID: plugin.id, executable: executable, serverVersion: serverVersion,
            environment: environment(for: plugin),
            folders: plugin.descriptor.permissions.paths + (settings.permittedPaths[plugin.id] ?? []))
        let isolated = IsolatedPlugin(launch, image: image, level: level, settings: settings, services: services)
        let outcome = await DedicatedThread.run {
            isolated.launchFirst()
            return isolated.firstFacts.wait()
        }
        switch outcome {
        case .success(let facts):
            if level == .sandbox, !facts.missing.isEmpty {
                services.logger.warning(
                    "The sandbox of a plugin is not whole: the kernel cannot enforce all of it",
                    metadata: [
                        "plugin.id": "\(plugin.id)", "missing": "\(facts.missing.joined(separator: ", "))",
                        "help": "docs/isolation.md",
                    ])
            }
            let tables = IsolatedTables(isolated, facts)
            return PluginBackend(
                level: level, description: tables.description, process: isolated, owner: tables)
        case .failure(let failure):
            isolated.end()
            throw refusal(failure, plugin, serverVersion)
        }
    }

    /// The environment of a plugin's process: nothing of the server's but what a library may need to be found and to
    /// write times and texts, and the names that plugin.json asks for.
    private static func environment(for plugin: ValidatedPlugin) -> [String] {
        let names = ["LD_LIBRARY_PATH", "TZ", "TZDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"]
        let all = names + plugin.descriptor.permissions.env.filter { !$0.hasPrefix("GF_") }
        return all.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    }

    private static func refusal(
        _ failure: RunnerFailure, _ plugin: ValidatedPlugin, _ serverVersion: String
    ) -> PluginRefusal {
        switch failure.number {
        case RUNNER_FAILED_MAP:
            PluginRefusal(
                .libraryNotOpened, pluginID: plugin.id, folder: plugin.folder, found: failure.text,
                expected: "a library that loads",
                message: "its library could not be loaded", remedy: "install the libraries that it needs")
        case RUNNER_FAILED_ENTRY:
            PluginRefusal(
                .entryMissing, pluginID: plugin.id, folder: plugin.folder, expected: "the symbol gf_entry_v1",
                message: "its library has no entry", remedy: "export gf_entry_v1")
        case RUNNER_FAILED_HOST: refused(plugin, serverVersion)
        default:
            PluginRefusal(
                .startFailed, pluginID: plugin.id, folder: plugin.folder, found: failure.text,
                expected: "a process that describes its library",
                message: "its process could not be started", remedy: "see its log lines and mend what they name")
        }
    }
}

extension IsolatedPlugin {
    /// Starts the first process.
    func launchFirst() {
        state.withLock { $0.phase = .starting(nil) }
        launchProcess()
    }
}
