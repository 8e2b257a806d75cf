// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI
import PluginHost
import Signing

/// What goes into a package.
struct PackagePlan: Sendable {
    let descriptor: PluginDescriptor
    /// By their names in the folder of the package; sorted.
    let files: [PackageFile]
    /// The name of the archive unless another is given.
    let fileName: String
    /// What the author should know although the package is made.
    let warnings: [String]

    /// A package for this server: the folder as it is.
    ///
    /// With its signature, if it has one, which counts every file.
    init(native source: PackageSource) {
        descriptor = source.descriptor
        let isSigned = source.content.paths.contains(Manifest.fileName)
        files = (isSigned ? source.content.paths : source.paths).map { path in
            PackageFile(path, .file("\(source.content.folder)/\(path)"), isProgram: path.hasSuffix(".so"))
        }
        fileName = "\(Self.stem(of: descriptor)).\(Platform.current).zip"
        warnings = []
    }

    /// A package for Grafana: its own plugin.json, the program that serves, and beside that the description and library
    /// that the program looks for.
    ///
    /// - Throws: ``CommandFailure`` `.badData` with all that Grafana would not accept; `.inputOutput` when there is no
    ///   program to serve with.
    init(grafana source: PackageSource) throws {
        let check = GrafanaDescriptorCheck(source)
        guard check.faults.isEmpty else {
            throw CommandFailure(
                .badData,
                "plugin '\(source.descriptor.id)': Grafana would not accept its plugin.json: "
                    + check.faults.joined(separator: "; "))
        }
        descriptor = source.descriptor
        let executable =
            descriptor.executable.isEmpty ? "gpx_\(descriptor.library ?? descriptor.id)" : descriptor.executable
        let program = "\(executable)_\(Platform.current)"
        var files = [
            PackageFile("plugin.json", .bytes(Self.grafanaJSON(of: descriptor, executable: executable))),
            PackageFile("\(executable).json", .bytes(Array("\(descriptor.json.encoded())\n".utf8))),
            PackageFile(program, .file(try Self.servingProgram()), isProgram: true),
        ]
        let made = Set(files.map(\.name) + [Manifest.fileName])
        var warnings = check.warnings
        for path in source.paths where !made.contains(path) {
            let isLibrary = path.hasSuffix(".so")
            guard !isLibrary || path == source.library || !path.hasPrefix("\(descriptor.library ?? "")_") else {
                warnings.append(
                    "'\(path)' is for another processor, for which there is no program here; it is left out")
                continue
            }
            files.append(PackageFile(path, .file("\(source.content.folder)/\(path)"), isProgram: isLibrary))
        }
        if source.content.paths.contains(Manifest.fileName) {
            warnings.append("\(Manifest.fileName) is left out, as the package has other files; sign the package anew")
        }
        self.files = files.sorted { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
        self.warnings = warnings
        fileName = "\(Self.stem(of: descriptor)).zip"
    }

    private static func stem(of descriptor: PluginDescriptor) -> String {
        descriptor.info.version.isEmpty ? descriptor.id : "\(descriptor.id)-\(descriptor.info.version)"
    }

    /// Without the keys that Grafana's schema does not know, and with the program.
    private static func grafanaJSON(of descriptor: PluginDescriptor, executable: String) -> [UInt8] {
        var json = descriptor.json
        var object = json.object ?? [:]
        for key in ["library", "abi", "isolation", "permissions"] { object[key] = nil }
        object["backend"] = true
        object["executable"] = .string(executable)
        json = .object(object)
        return Array("\(json.encoded())\n".utf8)
    }

    /// The program that serves plugins: beside this one, or where `make install` puts it.
    private static func servingProgram() throws -> String {
        let name = "grafana-plugin-go"
        let places = RunnerSettings.folders.map { "\($0)/\(name)" }
        guard let path = places.first(where: { access($0, X_OK) == 0 }) else {
            throw CommandFailure(
                .inputOutput,
                "the program \(name) that serves a plugin to Grafana is not at \(places.joined(separator: " or ")); "
                    + "install it, or build it: make build")
        }
        return path
    }
}

/// One file of a package.
struct PackageFile: Sendable {
    enum Content: Sendable {
        case file(String)
        case bytes([UInt8])
    }

    let name: String
    let content: Content
    /// Whether it may be executed.
    let isProgram: Bool

    init(_ name: String, _ content: Content, isProgram: Bool = false) {
        self.name = name
        self.content = content
        self.isProgram = isProgram
    }
}
