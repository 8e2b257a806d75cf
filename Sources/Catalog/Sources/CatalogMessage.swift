// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The words of a catalogue about a request that it refuses.
enum CatalogMessage {
    /// The `message` of a JSON body; nil for anything else.
    static func text(in body: String) -> String? {
        guard let value = try? JSONValue(parsing: body) else { return nil }
        return value["message"]?.string
    }
}
