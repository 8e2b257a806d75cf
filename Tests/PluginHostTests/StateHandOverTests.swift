// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import PluginHost

struct StateHandOverTests {
    @Test func whatAnInstanceSavesItsSuccessorLoads() async throws {
        try await TestPlatform.run { test in
            let source = test.source("probe-datasource")
            _ = try await test.answer([test.query(#"{"try":"remember","text":"the past"}"#)], of: source)

            let old = try #require(test.platform.registry["probe-datasource"]?.generation)
            let saved = await old.saveStates()
            let next = PluginGeneration(plugin: old.plugin, library: old.library, number: 2, handedOver: saved)
            let instance = try #require(try await next.reserveInstance(for: source))
            let reloaded = await StateHandOver.save(instance)
            instance.unreserve()

            #expect(reloaded == Array("the past".utf8))
        }
    }
}
