// SPDX-License-Identifier: Apache-2.0

/// The flags that Grafana's program takes before the command: `grafana-cli --pluginsDir DIR plugins install ID`.
///
/// They are moved behind the command, where this program takes them.
public enum GlobalFlags {
    private static let withValue: Set<String> = [
        "--pluginsDir", "--repo", "--pluginUrl", "--homepath", "--config", "--configOverrides",
    ]
    private static let alone: Set<String> = ["--insecure", "--debug", "-d"]

    /// The arguments with such flags moved; others are as they were.
    public static func rearranged(_ arguments: [String]) -> [String] {
        var before: [String] = []
        var moved: [String] = []
        var rest = arguments[...]
        while let word = rest.first, word != "plugins" {
            rest = rest.dropFirst()
            if withValue.contains(word), let value = rest.popFirst() {
                moved += [word, value]
            } else if alone.contains(word) || withValue.contains(String(word.prefix { $0 != "=" })) {
                moved.append(word)
            } else {
                before.append(word)
            }
        }
        guard !rest.isEmpty else { return arguments }
        let command = rest.prefix(2)
        return before + command + moved + rest.dropFirst(command.count)
    }
}
