// SPDX-License-Identifier: Apache-2.0
import Foundation
import PluginABI
import Processes
import Synchronization
import TestSupport
import Testing

@testable import PluginHost

/// The life of a plugin's process (L2).
struct ProcessTests {
    private static func isAlive(_ process: Int32) -> Bool { kill(process, 0) == 0 }

    @Test func thePluginRunsInAProcessOfItsOwn() async throws {
        try await PryingPlugin.run { plugin in
            let process = try await plugin.processID()

            #expect(process != getpid())
            #expect(plugin.process?.processID == process)
            #expect(plugin.process?.state == .running)
            #expect((plugin.process?.memoryBytes ?? 0) > 100_000)
            #expect(plugin.test.platform.plugin(id: PryingPlugin.id)?.level == .process)
        }
    }

    @Test func theProcessEndsWithThePlatform() async throws {
        var process: Int32 = 0
        try await PryingPlugin.run { process = try await $0.processID() }

        try await eventually("the process is gone") { !Self.isAlive(process) }
    }

    @Test func aKilledProcessIsReplacedAndNoCallIsLost() async throws {
        try await PryingPlugin.run { plugin in
            let first = try await plugin.processID()

            kill(first, SIGKILL)
            let second = try await plugin.processID()

            #expect(second != first)
            #expect(plugin.process?.restarts == 1)
            #expect(plugin.process?.lastFailure.contains("signal 9") == true)
        }
    }

    /// It would be given half a minute to open its library.
    @Test func aProcessThatIsStoppedAtItsStartIsEnded() async throws {
        let folder = try LoadingFolder()
        let program = folder["runner"]
        try "#!/bin/sh\nkill -STOP $$\n".write(toFile: program, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
        try await TestPlatform.run(
            examples: ["hello-c"], level: .process, runner: RunnerSettings(path: program)
        ) { test in
            let refusal = test.platform.refusals.first
            #expect(refusal?.found.contains("stopped by a signal") == true, "\(test.platform.refusals)")
        }
    }

    /// More than the messages that it may send of itself.
    @Test func manySmallCallsAreNoFlood() async throws {
        try await TestPlatform.run(examples: ["hello-c"], level: .process) { test in
            let load = try await CallLoad(platform: test.platform, pluginID: "grafana-helloc-datasource")

            let times = try load.run(15_000, inFlight: 16)

            #expect(times.count == 15_000)
            #expect(test.platform.plugin(id: "grafana-helloc-datasource")?.process?.restarts == 0)
        }
    }

    /// Its time may be over before it was sent, or while that happens.
    @Test func aCallHearsThatItsTimeIsOverWheneverThatIs() async throws {
        try await PryingPlugin.run(limits: CallLimits(grace: .seconds(20))) { plugin in
            let runtime = plugin.test.platform.registry[PryingPlugin.id]?.generation?.library.runtime
            let query = try plugin.test.query(#"{"try":"wait"}"#)
            for microseconds in 1...200 {
                var facts = CallFacts()
                facts.timeLimit = .microseconds(microseconds)
                let events = try await plugin.test.platform.queryData([query], of: plugin.source, facts: facts)
                let answer = try await Answer(events)
                #expect((answer.error ?? answer.failures["A"])?.code == .timeout, "\(answer)")
            }

            #expect(runtime?.counters.abandoned.load(ordering: .relaxed) == 0)
            #expect(plugin.process?.restarts == 0)
        }
    }

    @Test func aStoppedProcessIsReplaced() async throws {
        try await PryingPlugin.run { plugin in
            let first = try await plugin.processID()

            kill(first, SIGSTOP)
            // The signal takes its time: until one thread has seen it, the others still answer.
            try await eventually("the process is stopped") {
                (try? String(contentsOfFile: "/proc/\(first)/stat", encoding: .utf8))?.contains(") T ") == true
            }
            let second = try await plugin.processID()

            #expect(second != first)
            #expect(plugin.process?.lastFailure.contains("stopped by a signal") == true)
        }
    }

    /// Swift's runtime would bring handlers of signals along, after which a raised SIGSEGV ends nothing.
    @Test func theRunnerNeedsNoSwift() throws {
        let path = try #require(RunnerSettings().executable)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))

        let needed = try bytes.withUnsafeBytes { try ELFImage(bytes: $0).neededLibraries }

        #expect(needed.contains { $0.hasPrefix("libseccomp") })
        #expect(!needed.contains { $0.hasPrefix("libswift") || $0.hasPrefix("libstdc++") }, "\(needed)")
    }

    @Test(arguments: ["aborts", "segfaults", "exits"])
    func aCrashFailsItsCallAndNothingElse(mode: String) async throws {
        try await TestPlatform.run(examples: ["misbehaving-c"], level: .process) { test in
            let source = test.source("grafana-misbehaving-datasource")

            let crashed = try await test.answer([test.query(#"{"mode":"\#(mode)"}"#)], of: source)
            let next = try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: source)

            #expect(crashed.error?.code == .crashed, "\(crashed)")
            #expect(next.error == nil)
            #expect(next.frames.count == 1)
            // Once by itself, and once more because a query may be repeated.
            #expect(test.platform.plugin(id: source.settings.pluginID)?.process?.restarts == 2)
        }
    }

    @Test(arguments: [IsolationLevel.process, .sandbox], ["raise", "fault", "overflow", "thread-abort"])
    func everyKindOfCrashEndsTheProcess(level: IsolationLevel, mode: String) async throws {
        try await CrashingPlugin.run(at: level) { plugin in
            let crashed = try await plugin.answer(mode)

            #expect(crashed.error?.code == .crashed, "\(crashed)")
            let isFine = try await plugin.isFine()
            #expect(isFine)
        }
    }

    @Test func aCallThatTakesTooMuchProcessorTimeIsEnded() async throws {
        try await CrashingPlugin.run(at: .process, runner: RunnerSettings(callProcessorTime: .milliseconds(200))) {
            plugin in
            let spun = try await plugin.answer("spin")

            #expect(spun.error?.code == .crashed, "\(spun)")
            #expect(spun.error?.message.contains("max_call_cpu_time") == true, "\(spun)")
            #expect(plugin.info?.process?.limitsHit["cpu"] ?? 0 > 0)
            let isFine = try await plugin.isFine()
            #expect(isFine)
        }
    }

    @Test func fiveFailuresOpenTheBreaker() async throws {
        try await TestPlatform.run(examples: ["misbehaving-c"], level: .process) { test in
            let source = test.source("grafana-misbehaving-datasource")
            let process = try #require(
                test.platform.registry[source.settings.pluginID]?.generation?.library.process as? IsolatedPlugin)
            process.state.withLock { state in
                for _ in 0..<5 { state.policy.failed(at: MonotonicTime.now) }
            }
            let running = process.status.processID
            kill(running, SIGKILL)
            try await eventually("the process is gone") { process.status.processID == 0 }

            let answer = await Result { try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: source) }
            let error = (try? answer.get())?.error ?? answer.failure as? PluginError

            #expect(error?.code == .crashed)
            #expect(error?.retryAfter != nil)
            #expect(process.status.state == .broken)
            try await test.platform.reload(id: source.settings.pluginID)
            let mended = try await test.answer([test.query(#"{"mode":"behaves"}"#)], of: source)
            #expect(mended.error == nil)
        }
    }

    @Test func anIdleProcessStopsAndStartsAgain() async throws {
        try await PryingPlugin.run(runner: RunnerSettings(idleTime: .milliseconds(50))) { plugin in
            let first = try await plugin.processID()
            try await eventually("the process is gone") { !Self.isAlive(first) }

            #expect(plugin.process?.state == .stopped)
            let second = try await plugin.processID()

            #expect(second != first)
            #expect(plugin.process?.restarts == 0)
        }
    }

    @Test func manyCallsAtOnceAreAnswered() async throws {
        try await PryingPlugin.run { plugin in
            let texts = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<200 { group.addTask { try await plugin.text(["try": "print"]) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }

            #expect(texts.count == 200)
            #expect(texts.allSatisfy { $0 == "printed" })
        }
    }

    @Test func framesComeWholeAtEverySize() async throws {
        for rows in [0, 1, 100, 5_000, 200_000] {
            let answers = try await [IsolationLevel.inProcess, .process].asyncMap { level in
                var answer: Answer?
                try await PryingPlugin.run(at: level) {
                    answer = try await $0.answer(["try": "frame", "number": .integer(Int64(rows))])
                }
                return try #require(answer)
            }

            #expect(answers[0].error == nil)
            #expect(answers[0].frames.first?.rowCount == rows)
            #expect(answers[0].frames == answers[1].frames, "\(rows) rows differ between the levels")
        }
    }

    @Test func sharedMemoryIsUsedAgain() async throws {
        try await PryingPlugin.run { plugin in
            for _ in 0..<40 {
                let answer = try await plugin.answer(["try": "frame", "number": 200_000])
                #expect(answer.frames.first?.rowCount == 200_000)
            }

            // Forty frames of about 8 MB each went through it.
            #expect((plugin.process?.memoryBytes ?? .max) < 120 << 20)
        }
    }

    @Test func aFrameLargerThanTheSharedMemoryFails() async throws {
        try await PryingPlugin.run(runner: RunnerSettings(sharedBytes: 4 << 20)) { plugin in
            let answer = try await plugin.answer(["try": "frame", "number": 400_000])
            let error = answer.error ?? answer.failures["A"]

            #expect(error?.code == .limit)
            #expect(error?.message.contains("max_shared_memory_mib") == true, "\(answer)")
        }
    }

    @Test func whatIsFreeMakesRoomForMore() async throws {
        try await PryingPlugin.run(runner: RunnerSettings(sharedBytes: 20 << 20)) { plugin in
            let size = try await plugin.text(["try": "buffers"])
            #expect(size == "20")
        }
    }

    @Test func whatIsHeldDoesNotTakePagesFromWhatIsFree() async throws {
        try await PryingPlugin.run { plugin in
            let memory = try await plugin.text(["try": "again"])
            #expect(memory == "kept")
        }
    }

    @Test func theHostServesThePlugin() async throws {
        try await PryingPlugin.run { plugin in
            var source = plugin.source
            source.secrets = ["apiKey": "s3cret"]

            let secret = try await plugin.text(["try": "secret"], of: source)
            #expect(secret == "s3cret")
            let stored = try await plugin.text(["try": "store"])
            #expect(stored == "kept 1 13")
        }
    }

    @Test(arguments: [IsolationLevel.inProcess, .process])
    func aCallHasSoManyTimersAtATime(level: IsolationLevel) async throws {
        try await PryingPlugin.run(at: level) { plugin in
            let armed = try await plugin.text(["try": "timers"])
            #expect(armed == "1024 1")
        }
    }

    @Test(arguments: [IsolationLevel.inProcess, .process])
    func aCallHasSoManyRequestsOpen(level: IsolationLevel) async throws {
        try await PryingPlugin.run(at: level) { plugin in
            let opened = try await plugin.text(["try": "requests"])
            #expect(opened == "64 1 1")
        }
    }

    @Test func nothingOfTheServersEnvironmentIsSeen() async throws {
        setenv("GF_SECURITY_SECRET_KEY", "the key", 1)
        try await PryingPlugin.run { plugin in
            let environment = try await plugin.text(["try": "environment"])
            #expect(environment == "empty")
        }
    }

    /// Under a sanitizer, whose memory would be more, the runner does not limit its own.
    private static var isSanitized: Bool {
        dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil
    }

    @Test(.disabled(if: isSanitized, "a sanitizer needs more memory than the limit"))
    func limitsHold() async throws {
        let runner = RunnerSettings(memoryBytes: 256 << 20, files: 64)
        try await PryingPlugin.run(runner: runner) { plugin in
            let memory = try await plugin.answer(["try": "memory"])
            let files = try await plugin.answer(["try": "files"])

            #expect(memory.failures["A"]?.code == .noMemory, "\(memory)")
            #expect(files.failures["A"]?.code == .limit, "\(files)")
        }
    }

    @Test func memoryThatIsSharedCountsToo() async throws {
        let runner = RunnerSettings(memoryBytes: 64 << 20, sharedBytes: 64 << 20)
        try await PryingPlugin.run(runner: runner) { plugin in
            let answer = try await plugin.answer(["try": "share"])

            #expect(answer.error?.code == .crashed, "\(answer)")
            #expect(plugin.process?.lastFailure.contains("more than the 128 MiB") == true)
            #expect((plugin.process?.limitsHit["memory"] ?? 0) > 0)
        }
    }

    @Test(arguments: [0, 100, 70_000, 3_000_000])
    func bodiesComeWhole(size: Int) async throws {
        try await PryingPlugin.run { plugin in
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }

            let answer = try await plugin.test.platform.callResource(
                ResourceCall(method: "POST", path: "echo", body: body), of: plugin.source, facts: CallFacts())
            var back: [UInt8] = []
            try await answer.forEachChunk { back += $0.array }

            #expect(back == body)
        }
    }

    @Test func aMissingRunnerIsARefusal() async throws {
        try await TestPlatform.run(
            examples: ["hello-c"], level: .process, runner: RunnerSettings(path: "/nowhere/runner")
        ) { test in
            #expect(test.platform.refusals.map(\.code) == [.runnerMissing])
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }

    fileprivate var failure: (any Error)? {
        if case .failure(let error) = self { return error }
        return nil
    }
}

extension Sequence {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async throws -> [T] {
        var result: [T] = []
        for element in self { result.append(try await transform(element)) }
        return result
    }
}
