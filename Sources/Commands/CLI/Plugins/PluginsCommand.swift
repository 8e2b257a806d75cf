// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// `grafana-cli plugins`: what is installed, and from where.
struct PluginsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins",
        abstract: "Installs, updates, checks and removes plugins.",
        discussion: """
            Works on a plugins folder (--pluginsDir, GF_PLUGIN_DIR, or [paths] plugins of the settings), or through a \
            running server with --url. A running server picks up what changes in its folder without a restart.
            """,
        subcommands: [
            InstallCommand.self, UpdateCommand.self, UpdateAllCommand.self, RemoveCommand.self, ListCommand.self,
            ListRemoteCommand.self, ListVersionsCommand.self, SearchCommand.self, InfoCommand.self,
            VerifyPluginsCommand.self, PinCommand.self, UnpinCommand.self, RollbackCommand.self,
            ReleaseCommand.self, PluginsDoctorCommand.self,
        ])
}
