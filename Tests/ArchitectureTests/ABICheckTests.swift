// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// The gate of `make abi-check` lets members be appended and nothing else.
struct ABICheckTests {
    /// A change of one header and whether the gate lets it pass.
    struct Change: CustomTestStringConvertible, Sendable {
        var name: String
        var header: String
        var find: String
        var replacement: String
        var passes: Bool

        var testDescription: String { name }
    }

    static let changes = [
        Change(
            name: "no change", header: "plugin.h", find: "#define GF_ABI_MINOR", replacement: "#define GF_ABI_MINOR",
            passes: true),
        Change(
            name: "a field appended to a struct", header: "ext/datasource.h", find: "} gf_query_t;",
            replacement: "    int64_t added;\n} gf_query_t;", passes: true),
        Change(
            name: "a function appended to a table", header: "plugin.h", find: "} gf_sink_t;",
            replacement: "    gf_status (*added)(const gf_host_t *host);\n} gf_sink_t;", passes: true),
        Change(
            name: "a constant added", header: "plugin.h", find: "#define GF_CRASHED 16",
            replacement: "#define GF_ADDED 17\n#define GF_CRASHED 16", passes: true),
        Change(
            name: "a field inserted in the middle of a struct", header: "ext/datasource.h", find: "    gf_time from;",
            replacement: "    int64_t added;\n    gf_time from;", passes: false),
        Change(
            name: "a function inserted in the middle of a table", header: "plugin.h", find: "    gf_status (*batch)(",
            replacement: "    gf_status (*added)(const gf_host_t *host);\n    gf_status (*batch)(", passes: false),
        Change(
            name: "two members of one type swapped", header: "plugin.h", find: "    gf_str_t uid;\n    gf_str_t name;",
            replacement: "    gf_str_t name;\n    gf_str_t uid;", passes: false),
        Change(
            name: "a field of another type", header: "ext/health.h", find: "    uint32_t depth;",
            replacement: "    int32_t depth;", passes: false),
        Change(
            name: "a parameter of another type", header: "plugin.h", find: "gf_call_t *call, double fraction",
            replacement: "gf_call_t *call, float fraction", passes: false),
        Change(
            name: "a field removed", header: "ext/http.h", find: "    gf_bytes_t body;", replacement: "", passes: false),
        Change(
            name: "a struct without struct_size that grows", header: "plugin.h", find: "} gf_str_t;",
            replacement: "    uint64_t added;\n} gf_str_t;", passes: false),
        Change(
            name: "a constant of another value", header: "plugin.h", find: "#define GF_AGAIN 1 ",
            replacement: "#define GF_AGAIN 7 ", passes: false),
    ]

    @Test(arguments: changes)
    func gateDecides(_ change: Change) throws {
        let copy = FileManager.default.temporaryDirectory.appending(path: "abi-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: Repository.root.appending(path: "include"), to: copy)
        defer { try? FileManager.default.removeItem(at: copy) }
        let header = copy.appending(path: "grafana/\(change.header)")
        let text = try String(contentsOf: header, encoding: .utf8)
        try #require(text.contains(change.find))
        try text.replacingOccurrences(of: change.find, with: change.replacement)
            .write(to: header, atomically: true, encoding: .utf8)

        let gate = try Repository.run(Repository.root.appending(path: "abi/check.sh"), [copy.path])

        #expect(gate.status == (change.passes ? 0 : 1), "\(gate.output)")
    }

    @Test func generatedFilesAgreeWithTheHeaders() throws {
        let check = try Repository.run(Repository.root.appending(path: "abi/generate.py"), ["--check"])

        #expect(check.status == 0, "\(check.output)")
    }
}
