// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import Synchronization

/// The registered plugins by id, each with its current generation.
final class PluginRegistry: Sendable {
    struct Entry: Sendable {
        var plugin: ValidatedPlugin
        /// nil for a plugin without code on the server, and for one that is switched off.
        var generation: PluginGeneration?
        var number: Int
        var isDisabled: Bool
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var aliases: [String: String] = [:]
        var refusals: [PluginRefusal] = []
    }

    private let state = Mutex(State())

    /// The plugin with an id or alias.
    ///
    /// No alias stands in for a plugin that is installed and was refused: its data sources have secrets that are not for
    /// another one.
    subscript(id: String) -> Entry? {
        state.withLock { state in
            if let entry = state.entries[id] { return entry }
            guard !state.refusals.contains(where: { $0.pluginID == id && $0.isFault }) else { return nil }
            return state.aliases[id].flatMap { state.entries[$0] }
        }
    }

    var all: [Entry] {
        state.withLock { state in state.entries.values.sorted { $0.plugin.descriptor.name < $1.plugin.descriptor.name }
        }
    }

    /// id → folder of what is registered, for the search for duplicates.
    var folders: [String: String] { state.withLock { $0.entries.mapValues(\.plugin.folder) } }

    var refusals: [PluginRefusal] { state.withLock { $0.refusals } }

    /// Puts an entry in the place of the one of the same id, which is returned.
    func register(_ entry: Entry) -> Entry? {
        state.withLock { state in
            let id = entry.plugin.id
            let old = state.entries.updateValue(entry, forKey: id)
            for alias in entry.plugin.descriptor.aliasIDs { state.aliases[alias] = id }
            state.refusals.removeAll { $0.pluginID == id }
            return old
        }
    }

    func deregister(_ id: String) -> Entry? {
        state.withLock { state in
            state.aliases = state.aliases.filter { $0.value != id }
            return state.entries.removeValue(forKey: id)
        }
    }

    /// Replaces the refusals that concern the given folders, or all.
    func setRefusals(_ refusals: [PluginRefusal], inFolders folders: [String]?) {
        state.withLock { state in
            if let folders {
                state.refusals.removeAll { refusal in
                    folders.contains { refusal.folder == $0 || refusal.folder.hasPrefix($0 + "/") }
                }
            } else {
                state.refusals = []
            }
            state.refusals += refusals.filter { $0.code != .folderMissing || folders == nil }
        }
    }

    func addRefusal(_ refusal: PluginRefusal) {
        state.withLock { state in
            state.refusals.removeAll { $0.pluginID != nil && $0.pluginID == refusal.pluginID }
            state.refusals.append(refusal)
        }
    }
}
