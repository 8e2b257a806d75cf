// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The second stage: gives each plugin its URLs and files, and reads its library once into sealed memory.
///
/// A file that is missing or unreadable does not end the stage: the reason waits in the candidate until the signature
/// was judged, so that an unsigned plugin is told about its signature first.
struct Bootstrap {
    var settings: LoadingSettings

    /// The candidates of one bundle, the primary first.
    func candidates(of bundle: PluginBundle) -> [PluginCandidate] {
        let primary = primaryCandidate(of: bundle)
        let children = bundle.children.map { childCandidate($0, of: primary) }
        return ([primary] + children).map(withBackend)
    }

    /// The candidate of a plugin without nested ones.
    func candidate(of plugin: DiscoveredPlugin) -> PluginCandidate {
        withBackend(primaryCandidate(of: PluginBundle(primary: plugin)))
    }

    private func primaryCandidate(of bundle: PluginBundle) -> PluginCandidate {
        let plugin = bundle.primary
        let assets: PluginAssets =
            switch plugin.pluginClass {
            case .external: PluginAssets(external: plugin.descriptor)
            case .core: PluginAssets(core: plugin.descriptor, folderName: FilePath.lastComponent(plugin.folder))
            }
        return PluginCandidate(
            descriptor: plugin.descriptor, folder: plugin.folder, sourceFolder: plugin.sourceFolder,
            bundleFolder: plugin.folder, pluginClass: plugin.pluginClass, files: plugin.files,
            assets: withNavigation(assets, plugin.descriptor), childIDs: bundle.children.map(\.descriptor.id),
            sealedFiles: [descriptorFile(of: plugin, in: plugin.folder)])
    }

    private func childCandidate(_ child: DiscoveredPlugin, of parent: PluginCandidate) -> PluginCandidate {
        var descriptor = child.descriptor
        let isAppChild = parent.descriptor.type == .app
        if isAppChild, descriptor.info.version.isEmpty { descriptor.info.version = parent.descriptor.info.version }
        let relativePath = FilePath.relative(child.folder, to: parent.folder) ?? child.descriptor.id
        let assets = PluginAssets(
            child: descriptor, of: parent.assets, relativePath: relativePath, pluginClass: parent.pluginClass)
        return PluginCandidate(
            descriptor: descriptor, folder: child.folder, sourceFolder: child.sourceFolder,
            bundleFolder: parent.folder, pluginClass: parent.pluginClass, files: child.files,
            assets: withNavigation(assets, descriptor), parentID: parent.descriptor.id,
            includedInAppID: isAppChild ? parent.descriptor.id : nil,
            sealedFiles: [descriptorFile(of: child, in: parent.folder)])
    }

    private func descriptorFile(of plugin: DiscoveredPlugin, in bundleFolder: String) -> SealedFile {
        SealedFile(FilePath.join(plugin.folder, "plugin.json"), in: bundleFolder, digest: plugin.digest)
    }

    /// Sets the page that the navigation opens: the last include that asks for it, as in Grafana.
    private func withNavigation(_ assets: PluginAssets, _ descriptor: PluginDescriptor) -> PluginAssets {
        var assets = assets
        for include in descriptor.includes where include.isDefaultNavigation {
            switch include.type {
            case "page": assets.defaultNavURL = "\(settings.appSubURL)/plugins/\(descriptor.id)/page/\(include.slug)"
            case "dashboard": assets.defaultNavURL = "\(settings.appSubURL)/d/\(include.uid)"
            default: break
            }
        }
        return assets
    }

    /// Reads the library, or finds the executable; a library wins when plugin.json names both.
    private func withBackend(_ candidate: PluginCandidate) -> PluginCandidate {
        var candidate = candidate
        do {
            if let library = candidate.descriptor.library {
                candidate.image = try candidate.seal(try libraryPath(library, of: candidate))
            } else if candidate.descriptor.hasBackend, !candidate.descriptor.executable.isEmpty {
                let program = try executable(of: candidate)
                candidate.executableImage = try candidate.seal(program)
                candidate.executable = program
            } else if candidate.descriptor.hasBackend, candidate.pluginClass == .external {
                throw candidate.refusal(
                    .backendMissing, found: "\"backend\": true alone", expected: "\"library\" or \"executable\"",
                    message: "plugin.json declares a backend but names no file for it",
                    remedy: "add \"library\" (or \"executable\") to plugin.json, or remove \"backend\"")
            }
        } catch let refusal as PluginRefusal {
            candidate.backendRefusal = refusal
        } catch {
            candidate.backendRefusal = candidate.unreadable(error)
        }
        return candidate
    }

    private func libraryPath(_ library: String, of candidate: PluginCandidate) throws -> String {
        let name = "\(library)_\(settings.platform).so"
        let path = FilePath.join(candidate.folder, name)
        guard let real = try resolve(path, of: candidate) else { throw candidate.missing(path, name: name) }
        return real
    }

    private func executable(of candidate: PluginCandidate) throws -> String {
        let prefix =
            switch candidate.descriptor.type {
            case .renderer: "plugin_start"
            case .secretsmanager: "secrets_plugin_start"
            default: candidate.descriptor.executable
            }
        let path = FilePath.join(candidate.folder, "\(prefix)_\(settings.platform)")
        guard let real = try resolve(path, of: candidate), access(real, X_OK) == 0 else {
            throw candidate.refusal(
                .executableMissing, found: "no program at \(path)", expected: "an executable file",
                message: "the backend's program for this machine is missing",
                remedy: "install the build for \(settings.platform), or make it executable: chmod +x '\(path)'")
        }
        return real
    }

    /// The real path of a file of the plugin, or nil when there is none.
    ///
    /// - Throws: ``PluginRefusal`` `.libraryOutsideFolder` when it is not in the bundle's folder.
    private func resolve(_ path: String, of candidate: PluginCandidate) throws -> String? {
        guard let real = FileSystem.realPath(path) else { return nil }
        let folder = FileSystem.realPath(candidate.bundleFolder) ?? candidate.bundleFolder
        guard FilePath.isInside(real, folder: folder) else {
            throw candidate.refusal(
                .libraryOutsideFolder, found: real, expected: "a file inside \(folder)",
                message: "the backend's file is not in the plugin's folder",
                remedy: "copy the file into the plugin's folder and correct plugin.json")
        }
        return FileSystem.status(of: real)?.isFile == true ? real : nil
    }
}

extension PluginCandidate {
    /// Reads one of the plugin's files into sealed memory.
    fileprivate mutating func seal(_ path: String) throws -> SealedImage {
        let image = try SealedImage(reading: path)
        sealedFiles.append(SealedFile(path, in: bundleFolder, digest: image.digest))
        return image
    }

    /// A refusal of this plugin.
    func refusal(
        _ code: PluginRefusal.Code, found: String, expected: String, message: String, remedy: String
    ) -> PluginRefusal {
        PluginRefusal(
            code, pluginID: descriptor.id, folder: folder, found: found, expected: expected, message: message,
            remedy: remedy)
    }

    fileprivate func missing(_ path: String, name: String) -> PluginRefusal {
        let stem = name.prefix { $0 != "." }.split(separator: "_").first.map(String.init) ?? name
        let others = ((try? FileSystem.names(in: folder)) ?? []).filter { $0.hasPrefix(stem) && $0.hasSuffix(".so") }
        return refusal(
            .libraryMissing, found: others.isEmpty ? "no such file" : others.joined(separator: ", "), expected: name,
            message: "the shared library '\(path)' is missing",
            remedy: "install the build for this machine, or build it: cc -shared -fPIC -o '\(name)'")
    }

    fileprivate func unreadable(_ error: any Error) -> PluginRefusal {
        let file = error as? FileError
        let path = file?.path ?? folder
        switch file?.number {
        case EFBIG:
            return refusal(
                .libraryTooLarge, found: "more than \(SealedImage.largestSize) bytes",
                expected: "at most \(SealedImage.largestSize) bytes", message: "the library '\(path)' is too large",
                remedy: "strip it: strip --strip-unneeded '\(path)'")
        case _ where file?.operation == "memfd_create" || file?.operation == "seal" || file?.operation == "copy":
            return refusal(
                .imageNotSealed, found: "\(error)", expected: "memory files with seals (Linux 3.17)",
                message: "the library could not be copied into sealed memory",
                remedy: "check the memory limit and the descriptor limit (ulimit -n) of the server")
        default:
            return refusal(
                .libraryUnreadable, found: file?.reason ?? "\(error)", expected: "a file that the server may read",
                message: "the library '\(path)' cannot be read",
                remedy: "give the server's user the right to read it: chmod a+r '\(path)'")
        }
    }
}
