// SPDX-License-Identifier: Apache-2.0
import BuiltinDatasources
import PluginABI

/// Prints the plugin.json of a built-in plugin for its shared library.
///
/// ```console
/// $ builtin-descriptors sqlite
/// {"type":"datasource","name":"SQLite","id":"frser-sqlite-datasource",…,"library":"sqlite"}
/// ```
@main
enum Program {
    static let descriptors = [
        "adbc": ADBCPlugin.descriptorJSON, "loki": LokiPlugin.descriptorJSON,
        "prometheus": PrometheusPlugin.descriptorJSON,
        "testdata": TestDataPlugin.descriptorJSON,
        "postgresql": PostgreSQLPlugin.descriptorJSON, "mysql": MySQLPlugin.descriptorJSON,
        "sqlite": SQLitePlugin.descriptorJSON,
    ]

    static func main() throws {
        for name in CommandLine.arguments.dropFirst() {
            guard let text = descriptors[name] else { fatalError("there is no built-in plugin \(name)") }
            var descriptor = try JSONValue(parsing: text.utf8)
            descriptor["library"] = .string(name)
            print(descriptor.encoded())
        }
    }
}
