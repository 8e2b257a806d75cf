// SPDX-License-Identifier: Apache-2.0
internal import FoundationEssentials
internal import NIOHPACK
internal import SwiftProtobuf

/// How a call ended that did not end well.
package struct GRPCStatus: Error, Sendable, Equatable, CustomStringConvertible {
    /// The codes of gRPC; any other number reads as `unknown`.
    package enum Code: Int, Sendable {
        case ok = 0
        case cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
        case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, `internal`, unavailable
        case dataLoss, unauthenticated
    }

    /// What kind of failure it is.
    package var code: Code
    /// The plugin's text, or this client's.
    package var message: String
    /// `plugin` or `downstream`, when the plugin says who is to blame.
    package var errorSource: String?
    /// Whether the failure was found here and not told by the plugin.
    package var isLocal = false
    /// Whether the plugin was not even asked, since it does not run: asking again at once changes nothing.
    package var isRefusal = false

    /// Makes a status.
    package init(_ code: Code, _ message: String, errorSource: String? = nil, isLocal: Bool = false) {
        self.code = code
        self.message = message
        self.errorSource = errorSource
        self.isLocal = isLocal
    }

    /// A failure that this client found.
    static func local(_ code: Code, _ message: String) -> GRPCStatus { GRPCStatus(code, message, isLocal: true) }

    /// The code and the text.
    package var description: String { message.isEmpty ? "\(code)" : "\(message) (\(code))" }

    /// The end of a call as its trailers tell it; nil: well.
    static func read(trailers: HPACKHeaders) -> GRPCStatus? {
        guard let text = trailers.first(name: "grpc-status") else {
            return .local(.internal, "the answer ended without a grpc-status")
        }
        guard let number = Int(text) else {
            return .local(.internal, "the answer ended with the grpc-status '\(text)'")
        }
        guard number != 0 else { return nil }
        let message = trailers.first(name: "grpc-message").map(Self.percentDecoded) ?? ""
        var status = GRPCStatus(Code(rawValue: number) ?? .unknown, message)
        if let details = trailers.first(name: "grpc-status-details-bin").flatMap(Base64.decode) {
            status.errorSource = errorSource(inDetails: details)
        }
        return status
    }

    /// The trailers that tell a status; nil: the call ended well.
    static func trailers(of status: GRPCStatus?) -> [(name: String, value: String)] {
        guard let status else { return [("grpc-status", "0")] }
        // Headers have a limit, and a text that long says no more than its beginning.
        let message = String(status.message.prefix(4_096))
        var fields = [
            (name: "grpc-status", value: "\(status.code.rawValue)"),
            (name: "grpc-message", value: percentEncoded(message)),
        ]
        if let source = status.errorSource, let details = details(of: status, message, source: source) {
            fields.append(("grpc-status-details-bin", Base64.encode(details)))
        }
        return fields
    }

    private static func details(of status: GRPCStatus, _ message: String, source: String) -> [UInt8]? {
        var info = Google_Rpc_ErrorInfo()
        info.metadata = ["errorSource": source]
        var detail = Google_Rpc_Detail()
        detail.typeURL = "type.googleapis.com/google.rpc.ErrorInfo"
        guard let value: Data = try? info.serializedBytes() else { return nil }
        detail.value = value
        var whole = Google_Rpc_Status()
        whole.code = Int32(status.code.rawValue)
        whole.message = message
        whole.details = [detail]
        return try? whole.serializedBytes()
    }

    /// Escapes what a header cannot hold, as gRPC wants it.
    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// A stream that the plugin reset.
    static func reset(code: Int) -> GRPCStatus {
        let message = "the plugin reset the call with HTTP/2 error \(code)"
        switch code {
        case 0x7: return .local(.unavailable, message)
        case 0x8: return .local(.cancelled, message)
        case 0xb: return .local(.resourceExhausted, message)
        default: return .local(.internal, message)
        }
    }

    private static func errorSource(inDetails bytes: [UInt8]) -> String? {
        guard let status = try? Google_Rpc_Status(serializedBytes: bytes) else { return nil }
        for detail in status.details where detail.typeURL.hasSuffix("/google.rpc.ErrorInfo") {
            guard let info = try? Google_Rpc_ErrorInfo(serializedBytes: detail.value) else { continue }
            if let source = info.metadata["errorSource"] { return source }
        }
        return nil
    }

    /// Undoes the escaping of `grpc-message`; what is no escape stays.
    static func percentDecoded(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        let bytes = Array(text.utf8)
        var decoded: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = hexDigit(bytes[index + 1]),
                let low = hexDigit(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
