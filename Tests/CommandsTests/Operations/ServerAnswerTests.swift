// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Commands

/// The failures of a server as ends of a command.
struct ServerAnswerTests {
    @Test(
        arguments: [
            (409, "permissions-refused", 77), (422, "signature-refused", 77),
            (422, "checksum-mismatch", 65), (503, "folder-busy", 75),
            (500, "catalog-unreachable", 69), (400, "id-invalid", 64),
        ] as [(Int, String, Int32)])
    func aChangeOfPluginsFailsAsWithoutAServer(_ status: Int, _ code: String, _ expected: Int32) {
        let words = "plugin 'acme-sine-panel': the fact; the remedy [\(code)]"
        let line = #"{"event": "end", "status": \#(status), "message": "m", "code": "\#(code)", "error": "\#(words)"}"#
        let body = #"{"message": "m", "messageId": "plugin.\#(code)", "error": "\#(words)"}"#

        for text in [line, body] {
            let failure = APIClient.Answer(status: status, body: Array(text.utf8)).failure("plugin 'acme-sine-panel'")
            #expect(failure?.status.rawValue == expected)
            #expect(failure?.message == words)
        }
    }

    @Test func otherFailuresAreToldByTheirStatus() {
        let body = Array(#"{"message": "Not found", "messageId": "plugin.gone", "error": "elsewhere"}"#.utf8)

        let failure = APIClient.Answer(status: 404, body: body).failure("plugin 'x'")

        #expect(failure?.status == .badData)
        #expect(failure?.message == "plugin 'x': the server answers 404: Not found; correct what you asked for")
    }
}
