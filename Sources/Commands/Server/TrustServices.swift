// SPDX-License-Identifier: Apache-2.0
import Logging
import PluginHost
import Server
import ServiceLifecycle
import Settings
import Storage

/// The parts of the server that know who may sign plugins.
struct TrustServices {
    let trust: ServerTrust
    private let rootURL: String
    private let stores: Stores
    private let retrieval: PublicKeyRetrieval.Options?
    private let logger = Logger(label: "plugins.trust")

    /// - Throws: ``SettingsError`` for a value that does not fit its key.
    init(_ settings: Settings, _ stores: Stores) throws {
        self.stores = stores
        let plugins = try PluginSettings(settings)
        trust = ServerTrust(folder: plugins.trustFolder, stores: stores, logger: logger)
        rootURL = plugins.rootURL
        retrieval = try Self.retrieval(settings)
    }

    /// nil unless the settings ask for it: a server that nobody told to asks nobody.
    private static func retrieval(_ settings: Settings) throws -> PublicKeyRetrieval.Options? {
        let url = settings.string("grafana_com", "api_url")
        guard try !settings.bool("plugins", "public_key_retrieval_disabled"), !url.isEmpty else { return nil }
        // What comes from there may sign every plugin.
        let isHere = ["http://127.0.0.1", "http://localhost", "http://[::1]"].contains {
            url == $0 || url.hasPrefix("\($0):") || url.hasPrefix("\($0)/")
        }
        guard url.hasPrefix("https://") || isHere else {
            throw SettingsError(
                .badValue, "[grafana_com] api_url: keys are fetched over TLS alone, not from '\(url)'; write https://…")
        }
        var options = PublicKeyRetrieval.Options()
        options.asksAtStart = try settings.bool("plugins", "public_key_retrieval_on_startup")
        options.apiURL = url.hasSuffix("/") ? String(url.dropLast()) : url
        return options
    }

    var verifier: TrustVerifier { TrustVerifier(trust: trust.current, rootURL: rootURL) }

    /// What runs as long as the server does.
    func services(_ platform: PluginPlatform) -> [any Service] {
        var services: [any Service] = [TrustWatch(trust: trust, platform: platform, logger: logger)]
        if let retrieval {
            services.append(
                PublicKeyRetrieval(
                    options: retrieval, keyValues: stores.keyValues, inspect: ServerTrust.keyID,
                    firstKeys: ServerTrust.builtInKeys, logger: logger))
        }
        return services
    }
}
