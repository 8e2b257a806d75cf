// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PluginHost
import Signing

/// `grafana-plugin package`: makes a zip archive of a plugin's folder.
struct PackageCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "package",
        abstract: "Makes a zip archive of a plugin.",
        discussion: """
            The folder is as this server loads it: plugin.json and the shared library that it names. For Grafana, the \
            archive has a program that serves the library over Grafana's plugin protocol. The same files give the same \
            archive, byte for byte.
            """)

    @Argument(help: ArgumentHelp("The folder that has plugin.json.", valueName: "folder"))
    var folder: String

    @Option(help: ArgumentHelp("Who loads the package: native (this server) or grafana.", valueName: "target"))
    var target = PackageTarget.native

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The archive; the default: ID-VERSION.zip, for this server ID-VERSION.SYSTEM_PROCESSOR.zip.",
            valueName: "file"))
    var output: String?

    func perform() async throws {
        Terminal.silenceLibraries()
        let plan = try await plan()
        for warning in plan.warnings { Terminal.report("warning", warning) }
        let output = output ?? plan.fileName
        let bytes = try ZipWriter.write(plan.files, below: plan.descriptor.id, to: output)
        try Terminal.write(
            TerminalText.line(
                "packaged \(plan.descriptor.id) \(plan.descriptor.info.version) for \(target.rawValue): "
                    + "\(plan.files.count) files, \(bytes) bytes, \(output)") + "\n")
    }

    private func plan() async throws -> PackagePlan {
        do {
            let source = try await PackageSource(folder)
            switch target {
            case .native: return PackagePlan(native: source)
            case .grafana: return try PackagePlan(grafana: source)
            }
        } catch let refusal as PluginRefusal {
            throw CommandFailure(.badData, "\(refusal)")
        } catch let error as DescriptorError {
            throw CommandFailure(.badData, "'\(folder)/plugin.json': \(error)")
        } catch {
            throw CommandFailure(error, subject: folder)
        }
    }
}

/// Who loads a package.
enum PackageTarget: String, ExpressibleByArgument, CaseIterable {
    case native
    case grafana
}

/// A plugin's folder, checked as the loader checks it: plugin.json, and the library for this machine.
struct PackageSource: Sendable {
    let content: FolderContent
    let descriptor: PluginDescriptor
    /// The library's file name.
    let library: String

    /// - Throws: ``PluginRefusal``, ``DescriptorError``, ``SigningError``.
    init(_ folder: String) async throws {
        content = try FolderContent(folder)
        guard content.paths.contains("plugin.json") else {
            throw CommandFailure(
                .badData, "'\(folder)': there is no plugin.json; name the folder of the plugin itself")
        }
        let bytes = try content.bytes(of: "plugin.json", limit: 4 << 20)
        let plugin = try await ValidatedPlugin.unsigned(pluginJSON: bytes, folder: content.folder)
        descriptor = plugin.descriptor
        library = "\(plugin.descriptor.library ?? "")_\(Platform.current).so"
    }

    /// The files that belong to a release: none that is hidden.
    var paths: [String] {
        content.paths.filter { path in !path.split(separator: "/").contains { $0.hasPrefix(".") } }
    }
}
