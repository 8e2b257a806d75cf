// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import Signing

/// Whether Grafana and its tools would take a plugin.json.
///
/// - SeeAlso: Grafana, `plugin.schema.json`, which `@grafana/plugin-validator` applies.
struct GrafanaDescriptorCheck {
    /// What has to be mended: the key, the fact, the remedy.
    private(set) var faults: [String] = []
    /// What should be.
    private(set) var warnings: [String] = []

    init(_ source: PackageSource) {
        let descriptor = source.descriptor
        checkIdentity(descriptor)
        checkInformation(descriptor.info)
        checkDependency(descriptor.dependencies.grafanaDependency)
        checkFiles(source)
    }

    private mutating func checkIdentity(_ descriptor: PluginDescriptor) {
        switch descriptor.type {
        case .datasource, .app: break
        default:
            faults.append(
                "\"type\" is \"\(descriptor.type.rawValue)\"; in Grafana only a datasource or an app has a backend")
        }
        if descriptor.id.wholeMatch(of: /[0-9a-z]+-([0-9a-z]+-)?(app|panel|datasource)/) == nil
            || !descriptor.id.hasSuffix("-\(descriptor.type.rawValue)")
        {
            faults.append(
                "\"id\" is \"\(descriptor.id)\"; make it <organisation>-<name>-\(descriptor.type.rawValue), of lower-case "
                    + "letters and digits")
        }
        if descriptor.name.isEmpty { faults.append("\"name\" is missing; give the name that users see") }
    }

    private mutating func checkInformation(_ info: PluginDescriptor.Information) {
        if info.version.wholeMatch(of: /(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?/) == nil {
            faults.append("\"info.version\" is \"\(info.version)\"; give a semantic version such as 1.0.0")
        }
        if info.updated.wholeMatch(of: /\d{4}-\d{2}-\d{2}/) == nil {
            faults.append("\"info.updated\" is \"\(info.updated)\"; give the day of the release as YYYY-MM-DD")
        }
        if info.keywords.isEmpty { faults.append("\"info.keywords\" is empty; give at least one") }
        if info.authorName.isEmpty {
            warnings.append("\"info.author.name\" is missing: Grafana's catalogue asks for it")
        }
    }

    private mutating func checkDependency(_ range: String) {
        // As the schema has it: one or two comparators, and alternatives of them.
        let comparator = #/(<=|>=|<|>|=|~|\^)?[0-9]+(\.([0-9]+|x|\*)){0,2}(-[0-9A-Za-z.-]+)?/#
        let isRange =
            !range.isEmpty
            && range.split(separator: "||", omittingEmptySubsequences: false).allSatisfy { part in
                let words = part.split(separator: " ")
                return (1...2).contains(words.count) && words.allSatisfy { $0.wholeMatch(of: comparator) != nil }
            }
        if !isRange {
            faults.append(
                "\"dependencies.grafanaDependency\" is \"\(range)\"; give the versions of Grafana that it is for, such as "
                    + ">=10.4.0")
        }
    }

    private mutating func checkFiles(_ source: PackageSource) {
        let info = source.descriptor.info
        for (key, path) in [("small", info.smallLogo), ("large", info.largeLogo)] {
            if path.isEmpty {
                warnings.append(
                    "\"info.logos.\(key)\" is missing: Grafana shows its own picture, its catalogue asks for one")
            } else if !source.paths.contains(path) {
                faults.append("\"info.logos.\(key)\" names '\(path)', which is not in the folder; add the file")
            }
        }
        if !source.paths.contains("module.js") {
            warnings.append(
                "module.js is missing: queries, alerts and provisioned dashboards work, but Grafana's pages cannot show "
                    + "the settings or the query editor. Build a frontend with @grafana/create-plugin and copy its "
                    + "module.js into '\(source.content.folder)'")
        }
        if !source.paths.contains("README.md") { warnings.append("README.md is missing: Grafana shows it to users") }
    }
}
