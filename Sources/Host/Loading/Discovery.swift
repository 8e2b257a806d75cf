// SPDX-License-Identifier: Apache-2.0

internal import Signing

/// The first stage: finds plugin.json files, decodes them and nests them into bundles.
struct Discovery {
    /// More bytes than any plugin.json has; a bound on hostile ones.
    static let largestPluginJSON = 4 << 20

    var settings: LoadingSettings
    private(set) var refusals: [PluginRefusal] = []

    init(settings: LoadingSettings) { self.settings = settings }

    /// The bundles of all sources, in order, after the filters; what was left out is in ``refusals``.
    ///
    /// - Parameter registered: plugin id → folder of the plugins that run already.
    mutating func bundles(in sources: [PluginSource], registered: [String: String] = [:]) -> [PluginBundle] {
        let found = sources.flatMap { expand($0) }.flatMap { bundles(in: $0.path, pluginClass: $0.pluginClass) }
        var filters = DiscoveryFilters(settings: settings, registered: registered)
        let kept = filters.apply(to: found)
        refusals += filters.refusals
        return kept
    }

    /// A collection's immediate sub-folders and symlinks, sorted; a single folder is itself.
    private mutating func expand(_ source: PluginSource) -> [(path: String, pluginClass: PluginClass)] {
        let path = FilePath.withoutTrailingSlash(source.path)
        guard case .collection = source else { return [(path, source.pluginClass)] }
        do {
            let names = try FileSystem.names(in: path).filter { $0 != PluginSource.catalogFolder }
            return names.map { FilePath.join(path, $0) }.filter { entry in
                let status = FileSystem.status(of: entry, followingSymlinks: false)
                return status?.isFolder == true
                    || status?.isSymlink == true && FileSystem.status(of: entry)?.isFile != true
            }.map { ($0, source.pluginClass) }
        } catch {
            refusals.append(.folder(error, folder: path))
            return []
        }
    }

    private mutating func bundles(in folder: String, pluginClass: PluginClass) -> [PluginBundle] {
        let walk = PluginWalk(root: folder)
        refusals += walk.refusals
        let plugins = walk.folders.compactMap { decode($0, sourceFolder: folder, pluginClass: pluginClass) }
        return Self.nest(plugins)
    }

    private mutating func decode(_ folder: String, sourceFolder: String, pluginClass: PluginClass) -> DiscoveredPlugin?
    {
        let path = FilePath.join(folder, "plugin.json")
        var pluginID: String?
        do {
            let bytes = try FileSystem.bytes(of: path, limit: Self.largestPluginJSON)
            let descriptor = try PluginDescriptor(pluginJSON: bytes)
            pluginID = descriptor.id
            let files = PluginFiles(
                root: folder, listing: settings.isDevelopment ? .live : .frozen(try FolderListing.files(in: folder)))
            return DiscoveredPlugin(
                descriptor: descriptor, folder: folder, sourceFolder: sourceFolder, pluginClass: pluginClass,
                files: files, digest: FileHasher.digest(of: bytes))
        } catch {
            refusals.append(Self.refusal(error, path: path, folder: folder, pluginID: pluginID))
            return nil
        }
    }

    private static func refusal(
        _ error: any Error, path: String, folder: String, pluginID: String?
    ) -> PluginRefusal {
        switch error {
        case var refusal as PluginRefusal:
            refusal.pluginID = pluginID
            return refusal
        case let error as DescriptorError:
            return PluginRefusal(
                error.code, pluginID: nil, folder: folder, found: error.found, expected: error.expected,
                message: error.message, remedy: "correct '\(path)', or reinstall the plugin")
        default:
            return PluginRefusal(
                .pluginJSONUnreadable, pluginID: nil, folder: folder,
                found: (error as? FileError)?.reason ?? "\(error)",
                expected: "a file of at most \(largestPluginJSON) bytes that the server may read",
                message: "plugin.json cannot be read", remedy: "give the server's user the right to read '\(path)'")
        }
    }

    /// Puts each plugin below another one's folder into that one's bundle; `plugins` are sorted by folder.
    static func nest(_ plugins: [DiscoveredPlugin]) -> [PluginBundle] {
        var bundles: [PluginBundle] = []
        for plugin in plugins {
            let parent = bundles.firstIndex { FilePath.isInside(plugin.folder, folder: $0.primary.folder) }
            if let parent {
                bundles[parent].children.append(plugin)
            } else {
                bundles.append(PluginBundle(primary: plugin))
            }
        }
        return bundles
    }
}
