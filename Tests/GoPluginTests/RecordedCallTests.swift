// SPDX-License-Identifier: Apache-2.0
import Foundation
import GoPlugin
import Testing

/// Every recorded call, asked again of a server that replays the recorded answers over go-plugin.
struct RecordedCallTests {
    @Test func everyRecordedCallIsReadAsItWasRecorded() async throws {
        let supervisor = try await GoPeer.start(environment: ["GF_PLUGIN_REPLAY": Fixtures.folder.path])
        #expect(Fixtures.calls.count >= 34)
        for call in Fixtures.calls {
            let path = "/pluginv2.\(Self.service(of: call.method))/\(call.method)"
            let (messages, failure) = await supervisor.all(
                GRPCRequest(path, message: try Fixtures.bytes(call.requestFile)))
            let expected = try call.responses()
            // A failed unary call has no answer; the order of maps is not part of a message.
            if failure == nil || messages.count > 0 {
                #expect(messages.map(\.count) == expected.map(\.count), "\(call)")
            }
            #expect((failure == nil) == (call.grpcCode == "OK"), "\(call): \(String(describing: failure))")
            #expect(failure.map { "\($0.code)".lowercased() } ?? "ok" == call.grpcCode.lowercased(), "\(call)")
            #expect(failure?.message == call.grpcMessage, "\(call)")
            #expect(failure?.errorSource == call.errorSource, "\(call)")
        }
        await supervisor.stop()
    }

    private static func service(of method: String) -> String {
        switch method {
        case "QueryData", "QueryChunkedData": "Data"
        case "CheckHealth", "CollectMetrics": "Diagnostics"
        case "CallResource": "Resource"
        default: "Stream"
        }
    }
}
