// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Catalog

/// `grafana-cli plugins remove`.
struct RemoveCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes a plugin and its kept version.", aliases: ["uninstall"])

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String?

    @OptionGroup(title: "Plugins") var options: PluginOptions
    @OptionGroup(title: "A running server") var server: PluginServerOptions

    func validate() throws {
        if id == nil { throw ValidationError("missing plugin parameter") }
        if server.url != nil { try options.validateForServer() }
    }

    func perform() async throws {
        let id = id ?? ""
        let terminal = Terminal.output(wantsColor: !options.noColor)
        if let url = server.url {
            return try await PluginServer.with(server, url: url, timeout: options.timeout) { server in
                try await server.remove(id)
                try Terminal.write(ResultLine.good("Removed \(id)", terminal))
            }
        }
        let place = try PluginWorkplace(options)
        let plugin = try PluginChanges(folder: place.folder).remove(id, claim: FolderClaim(place.folder))
        try Terminal.write(ResultLine.good("Removed \(id) v\(plugin.facts.version)", terminal))
        RestartNotice.show()
    }
}

/// `grafana-cli plugins pin`.
struct PinCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Lets updates leave a plugin at its version.")

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String

    @OptionGroup(title: "Plugins") var options: PluginOptions

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let entry = try PluginChanges(folder: place.folder).setPinned(true, id, claim: FolderClaim(place.folder))
        try Terminal.write(ResultLine.good("\(id) stays at \(entry.version)", place.terminal))
    }
}

/// `grafana-cli plugins unpin`.
struct UnpinCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Lets updates change a pinned plugin again.")

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String

    @OptionGroup(title: "Plugins") var options: PluginOptions

    func perform() async throws {
        let place = try PluginWorkplace(options)
        _ = try PluginChanges(folder: place.folder).setPinned(false, id, claim: FolderClaim(place.folder))
        try Terminal.write(ResultLine.good("\(id) is updated with the others again", place.terminal))
    }
}

/// `grafana-cli plugins rollback`.
struct RollbackCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Puts the version back that was there before, at once and without a network.",
        discussion: "The present version is kept instead: a second rollback undoes the first.")

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String

    @OptionGroup(title: "Plugins") var options: PluginOptions

    func perform() async throws {
        let place = try PluginWorkplace(options)
        let change = try await place.with { try $0.installer.rollBack(id, claim: FolderClaim(place.folder)) }
        try Terminal.write(
            ResultLine.good("\(id) is \(change.to.version) again; \(change.from) is kept", place.terminal))
    }
}

/// `plugins release`.
struct ReleaseCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "release",
        abstract: "Lets a quarantined plugin come back into the process of a running server.",
        discussion: """
            A plugin that crashed the server, hung or kept its memory runs in a process of its own from then on. A corrected \
            version is tried in the server's process again by itself; this trusts the same build once more.
            """)

    @Argument(help: ArgumentHelp("The plugin.", valueName: "id"))
    var id: String

    @OptionGroup(title: "Server")
    var server: ServerAccess

    func perform() async throws {
        let authorization = try server.authorization()
        let answer = try await APIClient.with(
            url: server.url, authorization: authorization, timeout: server.timeout
        ) { try await $0.delete("/api/plugins/\(DataSourceLookup.encoded(id))/quarantine") }
        if let failure = answer.failure("plugin '\(id)'") { throw failure }
        try Terminal.write(ResultLine.good("\(id) runs in the server's process again", Terminal.output()))
    }
}
