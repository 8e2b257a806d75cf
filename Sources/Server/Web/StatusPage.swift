// SPDX-License-Identifier: Apache-2.0
import PluginHost
import Storage

/// The page at `/`: what runs here, and what does not and why.
struct StatusPage {
    var userName: String
    var mustChangePassword: Bool
    var mayAdminister: Bool
    var sources: [StoredDataSource]
    var plugins: [PluginInfo]
    var refusals: [PluginRefusal]
    /// What is wrong with the trust in signatures; empty for those who may not mend it.
    var trustProblems: [String]

    func html(_ options: ServerOptions) -> String {
        let running = plugins.count { $0.state == .running }
        let faults = refusals.filter(\.isFault)
        let password: HTMLText =
            mustChangePassword
            ? """
            <p class="note">You still use the first password. \
            <a href="\(options.link("/profile/password"))">Choose your own</a>.</p>
            """ : ""
        let content: HTMLText = """
            \(password)<h1>The server is running</h1>
            <p class="facts"><span>API version <b>\(ServerOptions.announcedVersion)</b></span>\
            <span><b>\(sources.count)</b> data source\(sources.count == 1 ? "" : "s")</span>\
            <span><b>\(running)</b> of \(plugins.count) plugins running</span>\
            \(faults.isEmpty ? "" : "<a class=\"tag bad\" href=\"#refused\">\(faults.count) refused</a>" as HTMLText)</p>\
            \(trustSection)
            <h2>Data sources</h2>\(dataSources(options))
            <h2>Plugins</h2>\(pluginTable(options))
            \(faults.isEmpty ? "" : "<h2 id=\"refused\">Refused plugins</h2>" as HTMLText)\(refusalList(faults))
            <h2>For programs</h2><div class="card pad small"><p>Queries: <code>POST /api/ds/query</code> · health: \
            <a href="\(options.link("/api/health"))"><code>/api/health</code></a> · metrics: \
            <a href="\(options.link("/metrics"))"><code>/metrics</code></a></p></div>
            """
        return Page.html(title: "Status", user: userName, options, content)
    }

    private var trustSection: HTMLText {
        guard !trustProblems.isEmpty else { return "" }
        let items = trustProblems.map { problem -> HTMLText in
            "<div class=\"refusal\"><p><span class=\"tag bad\">not used</span> \(problem)</p></div>"
        }
        return """
            <h2 id="trust">Trust in signatures</h2><div class="card">\(items)<div class="refusal"><p class="fix">mend it in \
            the folder of <code>[plugins] trust_path</code> or with <code>/api/plugins/trust</code>; until then what could be \
            read before counts</p></div></div>
            """
    }

    private func dataSources(_ options: ServerOptions) -> HTMLText {
        guard !sources.isEmpty else {
            return """
                <div class="card pad"><p>There is no data source yet.</p><p class="dim small">Add one with \
                <code>POST /api/datasources</code>, for example \
                <code>{"name": "Prometheus", "type": "prometheus", "url": "http://localhost:9090"}</code>.</p></div>
                """
        }
        let rows = sources.map { source -> HTMLText in
            let type = plugins.first { $0.id == source.fields.type || $0.aliasIDs.contains(source.fields.type) }
            let missing: HTMLText = type == nil ? " <span class=\"tag bad\">plugin not installed</span>" : ""
            let isDefault: HTMLText = source.fields.isDefault ? " <span class=\"tag\">default</span>" : ""
            let health = options.link("/api/datasources/uid/\(source.uid)/health")
            return """
                <tr><td><b>\(source.fields.name)</b>\(isDefault)<br><code class="dim">\(source.uid)</code></td>\
                <td>\(type?.name ?? source.fields.type)\(missing)</td><td>\(Self.shown(source.fields.url))</td>\
                <td><a href="\(health)">check</a></td></tr>
                """
        }
        return """
            <div class="card"><table><thead><tr><th>Name</th><th>Type</th><th>URL</th><th>Health</th></tr></thead>\
            <tbody>\(rows)</tbody></table></div>
            """
    }

    /// The URL without user and password.
    private static func shown(_ url: String) -> HTMLText {
        guard !url.isEmpty else { return "–" }
        guard let mark = url.firstRange(of: "://"), let at = url.lastIndex(of: "@"), at > mark.upperBound else {
            return "<code>\(url)</code>"
        }
        return "<code>\(url[..<mark.upperBound])…\(url[at...])</code>"
    }

    private func pluginTable(_ options: ServerOptions) -> HTMLText {
        let rows = plugins.map { plugin -> HTMLText in
            let state: HTMLText =
                switch plugin.state {
                case .running: "<span class=\"tag ok\">running</span>"
                case .disabled: "<span class=\"tag\">switched off</span>"
                case .frontendOnly: "<span class=\"tag\">no backend</span>"
                }
            let trouble: HTMLText =
                plugin.rulesBroken + plugin.callsAbandoned > 0
                ? """
                <br><span class="tag bad">\(plugin.rulesBroken) rules broken, \(plugin.callsAbandoned) calls given up</span>
                """ : ""
            return """
                <tr><td><b>\(plugin.name)</b><br><code class="dim">\(plugin.id)</code></td><td>\(state)\(trouble)\(Self.quarantine(plugin))</td>\
                <td>\(plugin.level.map { $0 == .linked ? "built in" : $0.name } ?? "–")</td><td>\(plugin.version.isEmpty ? "–" : plugin.version)</td>\
                <td>\(plugin.signature.status.rawValue)</td><td class="n">\(plugin.callsTotal)</td></tr>
                """
        }
        return """
            <div class="card"><table><thead><tr><th>Plugin</th><th>State</th><th>Runs</th><th>Version</th>\
            <th>Signature</th><th class="n">Calls</th></tr></thead><tbody>\(rows)</tbody></table></div>
            """
    }

    private static func quarantine(_ plugin: PluginInfo) -> HTMLText {
        guard let quarantine = plugin.quarantine else { return "" }
        return """
            <br><span class="tag bad">quarantined</span> <span class="dim small">It \(quarantine.reason).</span>
            """
    }

    private func refusalList(_ faults: [PluginRefusal]) -> HTMLText {
        guard !faults.isEmpty else { return "" }
        let items = faults.map { refusal -> HTMLText in
            let facts: HTMLText =
                refusal.found.isEmpty && refusal.expected.isEmpty
                ? ""
                : "<p class=\"dim small\">Found <code>\(refusal.found)</code>, expected <code>\(refusal.expected)</code>.</p>"
            let place: HTMLText = mayAdminister ? "<p class=\"dim small\"><code>\(refusal.folder)</code></p>" : ""
            return """
                <div class="refusal"><p><b>\(refusal.pluginID ?? "Unknown plugin")</b> \
                <span class="tag bad">\(refusal.code.rawValue)</span></p><p>\(refusal.message)</p>\(facts)\
                <p class="fix">\(refusal.remedy)</p>\(place)</div>
                """
        }
        return "<div class=\"card\">\(items)</div>"
    }
}
