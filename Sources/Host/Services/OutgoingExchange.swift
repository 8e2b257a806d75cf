// SPDX-License-Identifier: Apache-2.0
internal import CPluginABI
internal import PluginABI

/// A way to a server outside that belongs to a call and that its plugin names by a number: an HTTP request or a socket.
protocol OutgoingExchange: AnyObject, Sendable {
    /// How many of them a call may have open at a time.
    static var maxPerCall: Int { get }
    /// Written once, before the exchange starts.
    var id: UInt64 { get set }
    /// Takes it out of what ends with its call; written once, before the exchange starts.
    var leaveCall: @Sendable () -> Void { get set }
    /// Whether the call that it belongs to still wants an answer.
    var isWanted: @Sendable () -> Bool { get }
    /// Why it failed; empty while it has not.
    var errorText: gf_str { get }

    func head(into out: UnsafeMutablePointer<gf_http_head>) -> gf_status
    func fail(_ error: PluginError)

    /// The call has completed and the plugin has left the exchange open.
    func endWithCall()
}

extension PluginRuntime {
    /// Gives an exchange a number, lets it end with its call, and starts it if it may lead where it asks to.
    ///
    /// - Parameters:
    ///   - config: the handle of the configuration whose address and credentials it gets.
    ///   - request: makes the request of it.
    ///   - start: starts it, with the nanoseconds that it may take.
    func begin<Exchange: OutgoingExchange>(
        _ exchange: Exchange, in table: HandleTable<Exchange>, of call: OpaquePointer, config: UInt64,
        idOut: UnsafeMutablePointer<UInt64>, request: (DataSourceConfiguration?) throws -> OutgoingRequest,
        start: (OutgoingRequest, Int64) throws -> Void
    ) -> gf_status {
        guard let calls else { return GF_STATE }
        let id = table.add(exchange)
        let end = ExchangeEnd<Exchange> { table.remove(id)?.endWithCall() }
        let (index, generation) = CallSlot.parts(of: call)
        exchange.id = id
        exchange.leaveCall = { [weak calls] in calls?.removeResource(end, index: index, generation: generation) }
        let begun = calls.withRunning(call) { state, _ in (isKept: state.resources.add(end), deadline: state.deadline) }
        guard let (isKept, deadline) = begun, isKept else {
            table.remove(id)
            return begun == nil ? GF_STATE : GF_LIMIT
        }
        idOut.pointee = id
        do {
            let configuration = configurations[config]
            guard configuration != nil || config == 0 else {
                throw PluginError(.state, "configuration \(config) is none of plugin '\(self.id)'")
            }
            let outgoing = try request(configuration)
            try permittedHosts?.check(outgoing, configuration)
            let remaining = deadline == .max ? Int64.max : max(0, deadline &- MonotonicTime.now)
            try start(outgoing, min(outgoing.timeout.nanoseconds, remaining))
            return GF_OK
        } catch {
            let failure = error as? PluginError ?? PluginError(.invalid, "\(error)")
            exchange.fail(failure)
            return failure.code.rawValue
        }
    }

    /// A plugin closes what it opened.
    func close<Exchange: OutgoingExchange>(_ id: UInt64, in table: HandleTable<Exchange>) -> Exchange? {
        let exchange = table.remove(id)
        exchange?.leaveCall()
        return exchange
    }

    /// The head of an exchange's answer; a plugin that declared that it blocks waits for it.
    func head(
        of exchange: (any OutgoingExchange)?, into out: UnsafeMutablePointer<gf_http_head>?
    ) -> gf_status {
        guard let exchange, let out else { return GF_STATE }
        return answer(while: exchange.isWanted) { exchange.head(into: out) }
    }
}

extension CallTable {
    /// Ends what a plugin has open for a call that begins anew without it.
    func endResources(_ handle: OpaquePointer?) {
        let resources = withRunning(handle) { state, _ in
            defer { state.resources = CallResources() }
            return state.resources
        }
        resources?.endWithCall()
    }
}

/// Ends an exchange that its plugin left open when the call completes.
private final class ExchangeEnd<Exchange: OutgoingExchange>: CallResource {
    static var maxPerCall: Int { Exchange.maxPerCall }
    private let end: @Sendable () -> Void

    init(_ end: @escaping @Sendable () -> Void) { self.end = end }

    func endWithCall() { end() }
}
