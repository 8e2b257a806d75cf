// SPDX-License-Identifier: Apache-2.0
import PluginABI
import PluginHost
import PluginTesting
import Testing

/// The examples behave the same wherever they run.
@Suite(.timeLimit(.minutes(5)))
struct ExampleConformanceTests {
    @Test func helloInC() async throws {
        let kit = PluginConformance(
            try Plugins.example("hello-c"), queries: ["{}", #"{"amplitude": 2}"#, #"{"period": -1}"#, "[]"],
            resources: [ResourceCall(method: "GET", path: "greeting"), ResourceCall(method: "GET", path: "none")])

        await expectConformance(kit)
    }

    @Test func sineInSwift() async throws {
        var kit = PluginConformance(
            try Plugins.example("sine-swift"), queries: ["{}", #"{"amplitude": 2}"#],
            streams: [ConformanceStream(StreamRequest(path: "sine"), events: 2, isSteady: false)],
            secrets: ["apiKey": "s3cret"])
        kit.subscriptions = [StreamRequest(path: "sine")]
        kit.publications = [StreamRequest(path: "sine", data: [1, 2])]

        await expectConformance(kit)
    }

    /// The modes in which the host judges the plugin: it has to judge in the same words at each level.
    ///
    /// What ends the process that the code runs in is in `ProcessTests`.
    @Test func misbehavingInC() async throws {
        let modes = [
            "behaves", "completes-twice", "error-and-completes", "completes-after-release", "emits-after-complete",
            "child-is-shorter", "length-is-negative", "length-overflows", "offset-overflows", "child-is-null",
            "child-is-missing", "nulls-are-uncovered", "format-is-unknown", "format-is-null", "metadata-is-negative",
            "unknown-status",
        ]
        var kit = PluginConformance(try Plugins.example("misbehaving-c"))
        kit.isWellBehaved = false
        kit.refusedSettings = [["mode": "create-fails"]]
        kit.furtherCases = modes.map { mode in
            ConformanceCase(
                mode, proves: "GF-R-011, GF-R-016: what breaks a rule is judged the same",
                .queries([ConformanceQuery(#"{"mode": "\#(mode)"}"#)]))
        }
        kit.furtherCases += ["never-completes", "ignores-cancel", "hangs-in-start", "completes-late"].map { mode in
            ConformanceCase(
                mode, proves: "GF-R-018: a call that does not end is given up",
                .queries([ConformanceQuery(#"{"mode": "\#(mode)", "milliseconds": 3000}"#)]),
                limits: CallLimits(time: .milliseconds(500), grace: .milliseconds(100)))
        }

        await expectConformance(kit)
    }
}
