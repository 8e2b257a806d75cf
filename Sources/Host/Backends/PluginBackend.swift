// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import Glibc
internal import PluginABI

/// A plugin's code as the host reaches it: one description, whose tables lead into the server itself, into a library that
/// it mapped, or to another process.
///
/// Whatever a backend is, it looks like a plugin that is linked in. Calls, deadlines, budgets, credit, instances and
/// generations are therefore the same code at every level; a backend that lies elsewhere only has functions in its tables
/// that pass the call on.
///
/// Safety: `description` is only read, and valid as long as `owner`, or for ever.
struct PluginBackend: @unchecked Sendable {
    let level: IsolationLevel
    let description: UnsafePointer<gf_plugin_desc>
    /// The process behind the tables; nil when they lead into the server's own memory.
    let process: (any PluginProcess)?
    /// Keeps the description alive, if it is not static.
    let owner: AnyObject?
    /// Whom a crash in its functions is due to; nil when that does not end the server.
    let suspect: SuspectPlugin?

    init(
        level: IsolationLevel, description: UnsafePointer<gf_plugin_desc>, process: (any PluginProcess)? = nil,
        owner: AnyObject? = nil, suspect: SuspectPlugin? = nil
    ) {
        self.suspect = suspect
        self.level = level
        self.description = description
        self.process = process
        self.owner = owner
    }
}

/// The process of a plugin that runs outside of the server.
protocol PluginProcess: AnyObject, Sendable {
    /// Whether the process removes the configurations of its instances itself, since it still needs them when the host's
    /// call of `destroy` has returned.
    var removesConfigurations: Bool { get }

    /// What the API and the metrics show.
    var status: PluginProcessStatus { get }

    /// A call was not completed in its grace: the process is not worth keeping.
    func gaveUp()

    /// The library was closed, or refused after its description had been read.
    func end()
}

extension PluginBackend {
    /// L0: the entry of a plugin that is part of the server.
    ///
    /// - Throws: ``PluginRefusal`` `.entryRefused`.
    static func linked(
        _ plugin: ValidatedPlugin, entry: gf_entry_fn, serverVersion: String
    ) throws -> PluginBackend {
        PluginBackend(level: .linked, description: try ask(plugin, entry, level: .linked, serverVersion))
    }

    /// L1: the sealed image, mapped into the server.
    ///
    /// It stays mapped for ever: a library that used threads or Swift tasks cannot be unmapped safely.
    ///
    /// - Parameter suspect: whom a crash of it is due to.
    /// - Throws: ``PluginRefusal`` `.libraryMissing`, `.libraryNotOpened`, `.entryMissing`, `.entryRefused`.
    static func mapped(
        _ plugin: ValidatedPlugin, serverVersion: String, suspect: SuspectPlugin?
    ) throws -> PluginBackend {
        guard let image = plugin.image else {
            throw PluginRefusal(
                .libraryMissing, pluginID: plugin.id, folder: plugin.folder, message: "it names no library",
                remedy: "add \"library\" to its plugin.json")
        }
        guard let mapped = suspect.call(.load, { dlopen(image.path, RTLD_NOW | RTLD_LOCAL) }) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown"
            throw PluginRefusal(
                .libraryNotOpened, pluginID: plugin.id, folder: plugin.folder, found: reason,
                expected: "a library that loads",
                message: "its library could not be loaded", remedy: "install the libraries that it needs")
        }
        guard let symbol = dlsym(mapped, "gf_entry_v1") else {
            throw PluginRefusal(
                .entryMissing, pluginID: plugin.id, folder: plugin.folder, expected: "the symbol gf_entry_v1",
                message: "its library has no entry", remedy: "export gf_entry_v1")
        }
        suspect?.mapped(symbol: symbol)
        let entry = unsafeBitCast(symbol, to: gf_entry_fn.self)
        let description = try suspect.call(.load) { try ask(plugin, entry, level: .inProcess, serverVersion) }
        return PluginBackend(level: .inProcess, description: description, suspect: suspect)
    }

    private static func ask(
        _ plugin: ValidatedPlugin, _ entry: gf_entry_fn, level: IsolationLevel, _ serverVersion: String
    ) throws -> UnsafePointer<gf_plugin_desc> {
        var arena = CArena()
        var info = gf_host_info()
        info.struct_size = UInt32(MemoryLayout<gf_host_info>.size)
        info.abi_minor = GF_ABI_MINOR
        info.level = UInt32(level.rawValue)
        info.name = arena.text("grafana")
        info.version = arena.text(serverVersion)
        info.has_extension = { id in HostTables.shared.table(for: String(id)) == nil ? 0 : 1 }
        guard let description = entry(&info) else { throw refused(plugin, serverVersion) }
        return description
    }

    /// The refusal of an entry that gave no description.
    static func refused(_ plugin: ValidatedPlugin, _ serverVersion: String) -> PluginRefusal {
        PluginRefusal(
            .entryRefused, pluginID: plugin.id, folder: plugin.folder, found: "no description",
            expected: "a gf_plugin_desc", message: "its entry refuses this server",
            remedy: "install a version of it that works with server \(serverVersion)")
    }
}
