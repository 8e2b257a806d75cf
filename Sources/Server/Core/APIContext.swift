// SPDX-License-Identifier: Apache-2.0
import Hummingbird
import HTTPTypes
import NIOCore
import Synchronization

/// What the server knows about a request besides the request itself.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection.
    let channel: any Channel
    /// The trace of the request.
    var trace = TraceContext(traceParent: nil)
    /// Every layer that the request passes has a copy of the context; who asks is the same for all, the request log too.
    private let caller = CallerBox()

    /// Who asks; nil before the authentication and on routes that need none.
    var identity: Identity? {
        get { caller.identity.withLock { $0 } }
        nonmutating set { caller.identity.withLock { $0 = newValue } }
    }

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    /// The address of the peer without its port; empty for a unix socket.
    var clientIP: String { channel.remoteAddress?.ipAddress ?? "" }

    /// Who asks.
    ///
    /// - Throws: ``APIError/unauthorized`` when nobody is signed in.
    func requireIdentity() throws -> Identity {
        guard let identity else { throw APIError.unauthorized }
        return identity
    }

    /// A part of the path that the route names, percent-decoded.
    ///
    /// - Throws: ``APIError/notFound`` for a text that is not UTF-8 after decoding.
    func parameter(_ name: String) throws -> String {
        guard let text = parameters.get(name)?.removingPercentEscapes else { throw APIError.notFound }
        return text
    }
}

/// Who sends one request.
private final class CallerBox: Sendable {
    let identity = Mutex<Identity?>(nil)
}

extension String {
    /// The text with `%xx` replaced; nil when what comes out is not UTF-8 or an escape is malformed.
    var removingPercentEscapes: String? {
        guard utf8.contains(UInt8(ascii: "%")) else { return self }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
