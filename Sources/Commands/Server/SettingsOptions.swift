// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Settings

/// Where the settings come from; the same for every command that reads them.
struct SettingsOptions: ParsableArguments {
    @Option(
        name: [.customLong("homepath"), .customLong("home-path")],
        help: "The folder with conf/ and data/; the working directory when left out.")
    var homePath: String?

    @Option(help: "The settings file; conf/custom.ini of the home path when left out.")
    var config: String?

    @Option(
        name: .customLong("configOverrides"),
        help: "Settings in one text, as in \"cfg:log.level=debug cfg:server.http_port=3001\".")
    var configOverrides: String?

    @Argument(help: "Settings that win over files and environment, each as cfg:section.key=value.")
    var overrides: [String] = []

    /// Reads all sources of the settings.
    ///
    /// - Throws: ``SettingsError``.
    func load() throws -> Settings {
        try Settings.load(Settings.Options(self))
    }
}

extension Settings.Options {
    init(_ options: SettingsOptions) {
        let words = options.configOverrides?.split(separator: " ").map(String.init) ?? []
        self.init(homePath: options.homePath, configPath: options.config, overrides: words + options.overrides)
    }
}
