// SPDX-License-Identifier: Apache-2.0
public import PluginABI
public import PluginHost

/// Runs the same calls against one plugin wherever it can run, and finds every difference.
///
/// A plugin has one behaviour: linked in, in the server's process, in a process of its own, in a sandbox, and behind
/// Grafana's protocol. What an author gives are questions; the kit makes the cases of them.
///
/// ```swift
/// @Test func conforms() async throws {
///     let kit = PluginConformance(
///         try ConformancePlugin(folder: "dist/acme-sine-datasource"),
///         queries: [#"{"amplitude": 2}"#, #"{"period": -1}"#],
///         resources: [ResourceCall(method: "GET", path: "greeting")])
///     let report = await kit.run()
///     #expect(report.isPassed, "\(report)")
/// }
/// ```
///
/// ## Topics
/// - What is asked: ``ConformanceQuery``, ``ConformanceStream``, ``ConformanceCase``
/// - What is found: ``ConformanceReport``, ``ConformanceDifference``
/// - What is known to differ: ``ConformanceException``
public struct PluginConformance: Sendable {
    /// The plugin in its forms.
    public var plugin: ConformancePlugin
    /// Where it runs; the first place is what the others are compared with.
    public var places: [ConformancePlace]
    /// Each is asked alone, and all together in one request.
    public var queries: [ConformanceQuery]
    /// Requests below `resources/`.
    public var resources: [ResourceCall]
    /// Channels that clients ask to listen to.
    public var subscriptions: [StreamRequest]
    /// Messages of clients to channels.
    public var publications: [StreamRequest]
    /// Channels that run.
    public var streams: [ConformanceStream]
    /// Values of `jsonData` that the plugin refuses when an instance is made.
    public var refusedSettings: [JSONValue]
    /// The data source: its address and the plugin's own settings.
    public var settings: DataSourceInstanceSettings
    /// Its secret settings.
    public var secrets: [String: String]
    /// What the operator sets for the plugin in `[plugin.<id>]`.
    public var operatorSettings: [String: String] = [:]
    /// Files and folders that the operator lets the plugin read in a sandbox.
    public var permittedPaths: [String] = []
    /// False for a plugin that breaks rules on purpose: what it breaks is then not counted, only compared.
    public var isWellBehaved = true
    /// Cases beside those that the kit makes.
    public var furtherCases: [ConformanceCase]
    /// Where the plugin is known to differ.
    public var exceptions: [ConformanceException]

    /// Prepares a run; everything else has a property.
    public init(
        _ plugin: ConformancePlugin, queries: [ConformanceQuery] = [], resources: [ResourceCall] = [],
        streams: [ConformanceStream] = [], jsonData: JSONValue = .object([:]), secrets: [String: String] = [:],
        exceptions: [ConformanceException] = []
    ) {
        self.plugin = plugin
        places = plugin.places
        self.queries = queries
        self.resources = resources
        subscriptions = []
        publications = []
        self.streams = streams
        refusedSettings = []
        settings = DataSourceInstanceSettings(
            id: 1, uid: "conformance", name: "Conformance", pluginID: plugin.id, jsonData: jsonData)
        self.secrets = secrets
        furtherCases = []
        self.exceptions = exceptions
    }

    /// The cases of a run: those that the questions make, then ``furtherCases``.
    public var cases: [ConformanceCase] {
        var cases: [ConformanceCase] = []
        for (index, query) in queries.enumerated() {
            let name = query.name.isEmpty ? "query \(index + 1)" : "query '\(query.name)'"
            cases += Self.cases(name, .queries([query]), ConformanceReading.allCases)
        }
        if queries.count > 1 {
            cases += Self.cases("all queries", .queries(queries), [.toTheEnd, .slowly, .together, .withoutTime])
        }
        cases += Self.cases("health", .health, [.toTheEnd, .together])
        for (index, resource) in resources.enumerated() {
            let name = "resource \(index + 1) \(resource.method) \(resource.path)"
            cases += Self.cases(name, .resource(resource), ConformanceReading.allCases)
        }
        for (index, request) in subscriptions.enumerated() {
            cases += Self.cases("subscription \(index + 1) \(request.path)", .subscribe(request), [.toTheEnd])
        }
        for (index, request) in publications.enumerated() {
            cases += Self.cases("publication \(index + 1) \(request.path)", .publish(request), [.toTheEnd])
        }
        for (index, stream) in streams.enumerated() {
            cases += Self.cases(
                "stream \(index + 1) \(stream.request.path)", .run(stream), [.toTheEnd, .slowly, .whileForgotten])
        }
        for (index, jsonData) in refusedSettings.enumerated() {
            var refused = ConformanceCase(
                "refused settings \(index + 1)", proves: "settings that cannot work are refused in the same words",
                .health, jsonData: jsonData)
            refused.mustFail = true
            cases.append(refused)
        }
        return cases + furtherCases
    }

    private static func cases(
        _ name: String, _ call: ConformanceCall, _ readings: [ConformanceReading]
    ) -> [ConformanceCase] {
        readings.map { reading in
            var limits = CallLimits.conformance
            switch reading {
            case .slowly: limits.window = 4_096
            case .withoutTime: limits.time = .zero
            case .withLittleTime: limits.time = .milliseconds(1)
            default: break
            }
            return ConformanceCase(
                "\(name): \(reading.rawValue)", proves: reading.rule, call, reading: reading, limits: limits)
        }
    }

    /// Loads the plugin at each place, makes every call at all of them, and shuts all down again.
    ///
    /// - Returns: what was found. A place at which the plugin does not load is a difference, too.
    public func run() async -> ConformanceReport {
        await ConformanceRun(self).report()
    }
}

extension ConformanceReading {
    /// What a case that reads this way proves.
    var rule: String {
        switch self {
        case .toTheEnd: "GF-R-016: values, metadata, errors and their order are the same"
        case .slowly: "GF-R-015: a reader that is behind slows the plugin down and loses nothing"
        case .cancelledAtEachEvent: "GF-R-018: a cancelled call ends, and what came is the beginning of what comes"
        case .together: "GF-R-020: concurrent calls do not disturb each other"
        case .whileSettingsChange: "settings that change under load lose no call"
        case .whileForgotten: "GF-R-014: an instance is destroyed after its last call"
        case .withoutTime, .withLittleTime: "GF-R-018: a call ends by its deadline and says so"
        }
    }
}
