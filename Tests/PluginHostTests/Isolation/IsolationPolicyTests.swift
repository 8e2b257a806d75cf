// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Signing
import Testing

@testable import PluginHost

struct IsolationPolicyTests {
    /// A plugin with a signature that buys a level; nil: without a signature.
    private func plugin(
        bought: TrustLevel?, asking isolation: PluginDescriptor.Isolation? = nil
    ) -> ValidatedPlugin {
        var descriptor = PluginDescriptor(id: "acme-sine-datasource", type: .datasource)
        descriptor.isolation = isolation
        var plugin = ValidatedPlugin(linkedIn: descriptor)
        var verdict = SignatureVerdict(
            bought == nil ? .unsigned : .valid, bought == nil ? .noManifest : .valid, reason: "a test")
        verdict.level = bought
        plugin.signature = PluginSignature(verdict)
        return plugin
    }

    @Test(arguments: [
        (TrustLevel?.some(.inProcess), IsolationLevel.inProcess), (.some(.process), .process), (nil, .sandbox),
    ])
    func theSignatureGivesTheDefault(bought: TrustLevel?, level: IsolationLevel) {
        #expect(IsolationPolicy().level(of: plugin(bought: bought), isDevelopment: false) == level)
    }

    @Test func aPluginCanAskForMoreIsolationOnly() {
        let policy = IsolationPolicy()

        #expect(policy.level(of: plugin(bought: .inProcess, asking: .sandbox), isDevelopment: false) == .sandbox)
        #expect(policy.level(of: plugin(bought: .process, asking: .inProcess), isDevelopment: false) == .process)
    }

    @Test func theOperatorDecidesWithinWhatTheSignatureBuys() {
        let policy = IsolationPolicy(common: .process, levels: ["acme-sine-datasource": .inProcess])

        #expect(policy.level(of: plugin(bought: .inProcess), isDevelopment: false) == .inProcess)
        #expect(policy.level(of: plugin(bought: .process), isDevelopment: false) == .process)
        #expect(policy.level(of: plugin(bought: nil), isDevelopment: false) == .process)
        #expect(policy.level(of: plugin(bought: nil), isDevelopment: true) == .inProcess)
    }

    @Test(arguments: [
        (IsolationPolicy(), IsolationLevel.process), (IsolationPolicy(common: .inProcess), .process),
        (IsolationPolicy(common: .sandbox), .sandbox),
        (IsolationPolicy(common: .sandbox, levels: ["acme-sine-datasource": .inProcess]), .inProcess),
    ])
    func aLibraryOfTheServerComesNearerByItsOwnSettingOnly(policy: IsolationPolicy, level: IsolationLevel) {
        let plugin = ValidatedPlugin(linkedIn: PluginDescriptor(id: "acme-sine-datasource", type: .datasource))

        #expect(policy.level(of: plugin, isDevelopment: false) == level)
    }

    @Test(arguments: [
        ("example.com", true), ("EXAMPLE.com", true), ("example.com:443", true), ("example.com:80", false),
        ("*.com", true), ("*.example.com", false), ("xample.com", false), ("*.ample.com", false), ("", false),
    ])
    func aPermissionNamesHosts(pattern: String, isPermitted: Bool) {
        #expect(PermittedHosts.matches(pattern, host: "example.com", port: 443) == isPermitted)
    }
}
