// SPDX-License-Identifier: Apache-2.0

public import Logging

/// The stages of loading up to the point where code would be opened: discovery, bootstrap, validation.
///
/// One failing plugin never stops another. Each plugin that does not pass is a ``PluginRefusal``, logged once.
/// The stages read files, so they run on a thread of their own.
public struct LoadingPipeline: Sendable {
    /// What the operator allows.
    public var settings: LoadingSettings
    /// Judges the signature of each primary plugin.
    public var verifier: any SignatureVerifier
    private let logger: Logger

    /// - Parameter verifier: judges MANIFEST.txt; the default trusts Grafana's own key alone.
    public init(
        settings: LoadingSettings, verifier: any SignatureVerifier = TrustVerifier(),
        logger: Logger = Logger(label: "plugins.loading")
    ) {
        self.settings = settings
        self.verifier = verifier
        self.logger = logger
    }

    /// Finds and checks all plugins of the sources.
    ///
    /// - Parameter registered: plugin id → ``ValidatedPlugin/folder`` of the plugins that run already (empty: linked in).
    ///   A plugin with such an id is refused as a duplicate unless that folder is in its own source folder, as it is
    ///   when a plugin is prepared again.
    public func prepare(sources: [PluginSource], registered: [String: String] = [:]) async -> PreparedPlugins {
        let prepared = await DedicatedThread.run { prepareBlocking(sources: sources, registered: registered) }
        log(prepared)
        return prepared
    }

    /// Finds and checks the plugins of one folder that was added or changed.
    ///
    /// - Parameter folder: an immediate sub-folder of the plugins folder, or a `[plugin.<id>] path`. When it is gone
    ///   the answer has one refusal `folder-missing` and no plugin.
    public func prepare(
        folder: String, class pluginClass: PluginClass = .external, registered: [String: String] = [:]
    ) async -> PreparedPlugins {
        await prepare(sources: [.folder(path: folder, class: pluginClass)], registered: registered)
    }

    private func prepareBlocking(sources: [PluginSource], registered: [String: String]) -> PreparedPlugins {
        var discovery = Discovery(settings: settings)
        let bundles = discovery.bundles(in: sources, registered: registered)
        var prepared = PreparedPlugins(refusals: discovery.refusals)
        let bootstrap = Bootstrap(settings: settings)
        let validation = Validation(settings: settings)
        for bundle in bundles {
            let candidates = bootstrap.candidates(of: bundle)
            guard !candidates.isEmpty else { continue }
            let signature = verifier.signature(of: candidates)
            for candidate in candidates {
                do {
                    let own = signature.narrowed(to: candidate.descriptor)
                    prepared.validated.append(try validation.validate(candidate, signature: own))
                } catch let refusal as PluginRefusal {
                    prepared.refusals.append(refusal)
                } catch {
                    prepared.refusals.append(
                        candidate.refusal(
                            .libraryUnreadable, found: "\(error)", expected: "", message: "it could not be checked",
                            remedy: "see the server's log"))
                }
            }
        }
        return prepared
    }

    private func log(_ prepared: PreparedPlugins) {
        for refusal in prepared.refusals {
            logger.log(
                level: refusal.isFault ? .warning : .debug, "Plugin not loaded",
                metadata: [
                    "plugin.id": "\(refusal.pluginID ?? "")", "plugin.folder": "\(refusal.folder)",
                    "code": "\(refusal.code)", "reason": "\(refusal)", "help": "\(refusal.documentation)",
                ])
        }
        for plugin in prepared.validated {
            for warning in plugin.warnings {
                logger.warning(
                    "Plugin loads with a warning",
                    metadata: ["plugin.id": "\(plugin.id)", "code": "\(warning.code)", "reason": "\(warning.message)"])
            }
        }
    }
}
