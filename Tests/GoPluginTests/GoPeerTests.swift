// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import GoPlugin
import PluginABI
import SwiftProtobuf
import Synchronization
import Testing

/// This client and a real go-plugin server.
@Suite(.serialized) struct GoPeerTests {
    @Test(arguments: [false, true])
    func everyServiceIsReached(_ usesTLS: Bool) async throws {
        let supervisor = try await GoPeer.start(usesTLS: usesTLS)
        let answer: Pluginv2_QueryDataResponse = try await supervisor.ask("Data/QueryData", query("echo"))
        #expect(answer.responses["A"]?.status == 200)
        let health: Pluginv2_CheckHealthResponse = try await supervisor.ask(
            "Diagnostics/CheckHealth", Pluginv2_CheckHealthRequest())
        #expect(health.status == .error)
        let metrics: Pluginv2_CollectMetricsResponse = try await supervisor.ask(
            "Diagnostics/CollectMetrics", Pluginv2_CollectMetricsRequest())
        #expect(String(decoding: metrics.metrics.prometheus, as: UTF8.self) == "peer_calls_total 1\n")
        let failure = await #expect(throws: GRPCStatus.self) {
            let _: Pluginv2_ValidationResponse = try await supervisor.ask(
                "AdmissionControl/ValidateAdmission", Pluginv2_AdmissionRequest())
        }
        #expect(failure?.code == .unimplemented)
        await supervisor.stop()
        #expect(supervisor.status.phase == .stopped)
    }

    @Test func theFramesOfAllVectorsArriveUnchanged() async throws {
        let supervisor = try await GoPeer.start()
        let names = try FileManager.default.contentsOfDirectory(atPath: Fixtures.frames.path)
            .filter { $0.hasSuffix(".arrow") }
        #expect(names.count >= 38)
        for name in names {
            let file = Fixtures.frames.appending(path: name)
            let message = try query("file", path: file.path).serializedBytes() as [UInt8]
            let reader = AnswerReader()
            let answers = try await reader.answers(
                of: supervisor, GRPCRequest("/pluginv2.Data/QueryData", message: message))
            #expect(try answers.first?.frames.map { Data($0.bytes) } == [Data(contentsOf: file)], "\(name)")
        }
        await supervisor.stop()
    }

    @Test func aStreamStopsWhenItsReaderDoesAndGoesOnWithIt() async throws {
        let supervisor = try await GoPeer.start()
        let packets = PacedReader(pauseAfter: 3)
        let call = SupervisedCall(GRPCRequest("/pluginv2.Stream/RunStream", message: []), reader: packets)
        supervisor.begin(call)

        await packets.count(3)
        call.resume()
        await packets.count(6)
        call.cancel()
        let failure = await packets.end()
        #expect(failure?.code == .cancelled)
        let answer: Pluginv2_QueryDataResponse = try await supervisor.ask("Data/QueryData", query("echo"))
        #expect(answer.responses.count == 1, "the connection goes on")
        await supervisor.stop()
    }

    @Test func aCancelledQuestionIsCancelledInThePlugin() async throws {
        let log = LogBook()
        let supervisor = try await GoPeer.start(log: log)
        let message = try query("sleep", millis: 60_000).serializedBytes() as [UInt8]
        let failure = await #expect(throws: GRPCStatus.self) {
            let _: Pluginv2_QueryDataResponse = try await supervisor.ask(
                GRPCRequest("/pluginv2.Data/QueryData", message: message, timeout: .milliseconds(500)))
        }
        #expect(failure?.code == .deadlineExceeded)
        // The line comes from another process, which is not to end before.
        let end = ContinuousClock.now + .seconds(20)
        while !log.lines.contains(where: { $0.message == "call cancelled" }), ContinuousClock.now < end {
            await Task.yield()
        }
        await supervisor.stop()
        #expect(log.lines.contains { $0.message == "call cancelled" })
    }

    @Test func nothingOfOurEnvironmentReachesThePlugin() async throws {
        setenv("SECRET_OF_THE_HOST", "x", 1)
        let supervisor = try await GoPeer.start(environment: ["GF_VERSION": "12.0.0"])
        let answer: Pluginv2_QueryDataResponse = try await supervisor.ask("Data/QueryData", query("environment"))
        let lines = (answer.responses["A"]?.error ?? "").split(separator: "\n").map { $0.prefix { $0 != "=" } }

        #expect(
            lines == [
                "GF_VERSION", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "grafana_plugin_type",
            ])
        await supervisor.stop()
    }

    @Test func aProcessThatDoesNotMoveIsReplaced() async throws {
        let log = LogBook()
        let supervisor = try await GoPeer.start(
            heartbeat: Heartbeat(silence: .milliseconds(500), patience: .seconds(2)), log: log)
        let first = supervisor.status.pid
        kill(first, SIGSTOP)
        // The signal takes its time: until one thread has seen it, the others still answer.
        while try !String(contentsOfFile: "/proc/\(first)/stat", encoding: .utf8).contains(") T ") {
            await Task.yield()
        }
        let failure = await #expect(throws: GRPCStatus.self) {
            let _: Pluginv2_QueryDataResponse = try await supervisor.ask(
                GRPCRequest("/pluginv2.Data/QueryData", message: [], timeout: .seconds(600)))
        }
        #expect(failure?.code == .unavailable)
        #expect(failure?.message.contains("does not move") == true, "\(failure?.message ?? "")")
        await log.starts(2)

        #expect(supervisor.status.pid != first)
        #expect(supervisor.status.lastFailure.contains("did not move"), "\(supervisor.status.lastFailure)")
        await supervisor.stop()
    }

    @Test func aPluginThatThinksLongIsLeftAlone() async throws {
        let log = LogBook()
        let supervisor = try await GoPeer.start(
            heartbeat: Heartbeat(silence: .milliseconds(20), patience: .seconds(20)), log: log)
        let answer: Pluginv2_QueryDataResponse = try await supervisor.ask(
            GRPCRequest(
                "/pluginv2.Data/QueryData", message: query("sleep", millis: 1_000).serializedBytes(),
                timeout: .seconds(600)))
        #expect(answer.responses.count == 1)
        #expect(supervisor.status.restarts == 0)
        await supervisor.stop()
    }

    @Test func aKilledPluginIsStartedAgain() async throws {
        let log = LogBook()
        let supervisor = try await GoPeer.start(log: log)
        let first = supervisor.status.pid
        kill(first, SIGKILL)
        await log.starts(2)

        let status = supervisor.status
        #expect(status.pid != first)
        #expect(status.restarts == 1)
        #expect(status.lastFailure.contains("SIGKILL"), "\(status.lastFailure)")
        let answer: Pluginv2_QueryDataResponse = try await supervisor.ask("Data/QueryData", query("echo"))
        #expect(answer.responses.count == 1)
        await supervisor.stop()
    }

    @Test func aStoppedPluginIsGone() async throws {
        let supervisor = try await GoPeer.start()
        let pid = supervisor.status.pid
        await supervisor.stop()

        #expect(kill(pid, 0) == -1 && errno == ESRCH)
    }

    @Test func largeMessagesArrive() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "large-\(UUID().uuidString)")
        try Data(count: 16 << 20).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let supervisor = try await GoPeer.start()
        let message = try query("file", path: file.path, count: 16).serializedBytes() as [UInt8]
        let answers = try await AnswerReader().answers(
            of: supervisor, GRPCRequest("/pluginv2.Data/QueryData", message: message))
        #expect(answers.first?.frames.map(\.byteCount) == Array(repeating: 16 << 20, count: 16))

        let failure = await #expect(throws: GRPCStatus.self) {
            _ = try await AnswerReader().answers(
                of: supervisor, GRPCRequest("/pluginv2.Data/QueryData", message: message, limit: 1 << 20))
        }
        #expect(failure?.code == .resourceExhausted)
        await supervisor.stop()
    }
}

func query(_ what: String, path: String = "", count: Int = 0, millis: Int = 0) -> Pluginv2_QueryDataRequest {
    var query = Pluginv2_DataQuery()
    query.refID = "A"
    query.json = Data(#"{"do":"\#(what)","path":"\#(path)","count":\#(count),"millis":\#(millis)}"#.utf8)
    var request = Pluginv2_QueryDataRequest()
    request.queries = [query]
    return request
}

extension PluginSupervisor {
    func ask<Answer: Message>(_ method: String, _ question: some Message) async throws -> Answer {
        try await ask(GRPCRequest("/pluginv2.\(method)", message: question.serializedBytes()))
    }

    func ask<Answer: Message>(_ request: GRPCRequest) async throws -> Answer {
        let (messages, failure) = await all(request)
        if let failure { throw failure }
        return try Answer(answer: messages.first ?? [], to: request.path)
    }

    /// All messages of an answer, and how it ended.
    func all(_ request: GRPCRequest) async -> (messages: [[UInt8]], failure: GRPCStatus?) {
        let messages = Mutex<[[UInt8]]>([])
        let failure = await withCheckedContinuation { continuation in
            let reader = WholeMessageReader { message in
                messages.withLock { $0.append(message) }
                return true
            } onEnd: {
                continuation.resume(returning: $0)
            }
            begin(SupervisedCall(request, reader: reader))
        }
        return (messages.withLock { $0 }, failure)
    }
}

/// Reads the answer to QueryData as the host does.
final class AnswerReader: MessageReader, @unchecked Sendable {
    private var parser: QueryAnswerParser?
    private var answers: [QueryAnswer] = []
    private var continuation: CheckedContinuation<GRPCStatus?, Never>?

    func answers(of supervisor: PluginSupervisor, _ request: GRPCRequest) async throws -> [QueryAnswer] {
        let failure = await withCheckedContinuation { continuation in
            self.continuation = continuation
            supervisor.begin(SupervisedCall(request, reader: self))
        }
        if let failure { throw failure }
        return answers
    }

    func begin(length: Int) { parser = QueryAnswerParser(length: length) }
    func append(_ bytes: UnsafeRawBufferPointer) throws(GRPCStatus) { try parser?.feed(bytes) }

    func end() throws(GRPCStatus) -> Bool {
        answers = try parser?.finish() ?? []
        return true
    }

    func finished(_ failure: GRPCStatus?) { continuation?.resume(returning: failure) }
}

/// Asks for a pause after every few packets.
final class PacedReader: MessageReader {
    private struct State {
        var count = 0
        var failure: GRPCStatus??
        var waiting: [(Int, CheckedContinuation<Void, Never>)] = []
        var atEnd: CheckedContinuation<GRPCStatus?, Never>?
    }
    private let state = Mutex(State())
    private let step: Int

    init(pauseAfter step: Int) { self.step = step }

    func begin(length: Int) {}
    func append(_ bytes: UnsafeRawBufferPointer) {}

    func end() -> Bool {
        let (ready, goesOn) = state.withLock { state in
            state.count += 1
            let ready = state.waiting.filter { $0.0 <= state.count }
            state.waiting.removeAll { $0.0 <= state.count }
            return (ready, state.count % step != 0)
        }
        for (_, continuation) in ready { continuation.resume() }
        return goesOn
    }

    func finished(_ failure: GRPCStatus?) {
        let waiting = state.withLock { state in
            state.failure = .some(failure)
            return state.atEnd
        }
        waiting?.resume(returning: failure)
    }

    func count(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.count < count else { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    func end() async -> GRPCStatus? {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.failure == nil { state.atEnd = continuation }
                return state.failure
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
