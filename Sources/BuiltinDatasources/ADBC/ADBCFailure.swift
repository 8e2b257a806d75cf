// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import Glibc
import PluginABI

/// What a driver says of a failure.
struct ADBCFailure {
    /// `ADBC_STATUS_…`.
    var status: Int32
    var message: String
    /// Five letters, or empty.
    var sqlState = ""
    var vendorCode: Int32?
    /// What newer drivers add, such as the fields of PostgreSQL's errors.
    var details: [(key: String, value: String)] = []

    /// Tells a driver that the error has the members of ADBC 1.1.0.
    static let privateData = Int32.min
    /// What is believed of a text that a driver gave: a message is read by people.
    private static let maximumText = 16 << 10
    private static let maximumDetails = 32

    /// Reads an error and gives it back to the driver.
    init(status: Int32, consuming error: inout AdbcError, driver: ADBCDriver?) {
        self.init(status: status, reading: &error, driver: driver)
        let release = error.release
        release?(&error)
    }

    /// Reads an error that stays the driver's.
    init(status: Int32, reading error: UnsafePointer<AdbcError>, driver: ADBCDriver?) {
        self.status = status
        message = Self.text(error.pointee.message)
        let state = withUnsafeBytes(of: error.pointee.sqlstate) { Array($0) }
        if state.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }) {
            sqlState = String(decoding: state, as: UTF8.self)
        }
        let code = error.pointee.vendor_code
        if code != Self.privateData, code != 0 { vendorCode = code }
        guard code == Self.privateData, error.pointee.release != nil, let driver,
            let count = driver.table.pointee.ErrorGetDetailCount, let get = driver.table.pointee.ErrorGetDetail
        else { return }
        for index in 0..<min(max(0, count(error)), Int32(Self.maximumDetails)) {
            let detail = get(error, index)
            guard detail.key != nil else { continue }
            let bytes = UnsafeBufferPointer(
                start: detail.value, count: detail.value == nil ? 0 : min(detail.value_length, Self.maximumText))
            details.append((Self.text(detail.key), Self.text(of: bytes)))
        }
    }

    private static func text(_ start: UnsafePointer<CChar>?) -> String {
        guard let start else { return "" }
        let bytes = UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)
        return text(of: UnsafeBufferPointer(start: bytes, count: strnlen(start, maximumText)))
    }

    private static func text(of bytes: UnsafeBufferPointer<UInt8>) -> String {
        // Keys and values may end with the NUL of C.
        let end = bytes.firstIndex(of: 0) ?? bytes.count
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    /// The failure in the words of the SDK.
    ///
    /// - Parameters:
    ///   - what: What was done when it failed; left out for the user's own statement.
    ///   - secrets: Texts that must not be in it.
    func error(_ what: String, isQuery: Bool, hiding secrets: [String]) -> PluginError {
        let text = message.isEmpty ? "the driver gives no reason" : message
        var known: JSONObject = ["adbcStatus": .string(statusName)]
        if !sqlState.isEmpty { known["sqlState"] = .string(sqlState) }
        if let vendorCode { known["vendorCode"] = .integer(Int64(vendorCode)) }
        if !details.isEmpty {
            known["details"] = .object(
                JSONObject(details.map { (key: $0.key, value: .string(hide(secrets, in: $0.value))) }))
        }
        // Drivers without SQLSTATE have no other status for a statement that their database does not understand.
        let isStatement =
            isQuery && sqlState.isEmpty && [ADBC_STATUS_INTERNAL, ADBC_STATUS_UNKNOWN].contains(status)
        return PluginError(
            isStatement ? .invalid : code,
            hide(secrets, in: isQuery ? "db query error: \(text)" : "\(what) failed: \(text)"),
            source: .downstream, details: JSONText(JSONValue.object(known).encoded()))
    }

    private func hide(_ secrets: [String], in text: String) -> String {
        secrets.reduce(text) { $0.replacingAll($1, with: "***") }
    }

    /// SQLSTATE is the more exact of the two.
    private var code: PluginError.Code {
        let bySQLState = sqlState.isEmpty ? .downstream : SQLFailure.code(of: sqlState)
        guard bySQLState == .downstream else { return bySQLState }
        switch status {
        case ADBC_STATUS_NOT_IMPLEMENTED: return .unsupported
        case ADBC_STATUS_NOT_FOUND: return .notFound
        case ADBC_STATUS_ALREADY_EXISTS, ADBC_STATUS_INVALID_ARGUMENT, ADBC_STATUS_INVALID_DATA, ADBC_STATUS_INTEGRITY:
            return .invalid
        case ADBC_STATUS_IO: return .io
        case ADBC_STATUS_CANCELLED: return .cancelled
        case ADBC_STATUS_TIMEOUT: return .timeout
        case ADBC_STATUS_UNAUTHENTICATED: return .unauthenticated
        case ADBC_STATUS_UNAUTHORIZED: return .forbidden
        default: return .downstream
        }
    }

    private static let names: [Int32: String] = [
        ADBC_STATUS_UNKNOWN: "UNKNOWN", ADBC_STATUS_NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
        ADBC_STATUS_NOT_FOUND: "NOT_FOUND", ADBC_STATUS_ALREADY_EXISTS: "ALREADY_EXISTS",
        ADBC_STATUS_INVALID_ARGUMENT: "INVALID_ARGUMENT", ADBC_STATUS_INVALID_STATE: "INVALID_STATE",
        ADBC_STATUS_INVALID_DATA: "INVALID_DATA", ADBC_STATUS_INTEGRITY: "INTEGRITY",
        ADBC_STATUS_INTERNAL: "INTERNAL", ADBC_STATUS_IO: "IO", ADBC_STATUS_CANCELLED: "CANCELLED",
        ADBC_STATUS_TIMEOUT: "TIMEOUT", ADBC_STATUS_UNAUTHENTICATED: "UNAUTHENTICATED",
        ADBC_STATUS_UNAUTHORIZED: "UNAUTHORIZED",
    ]

    private var statusName: String { Self.names[status] ?? String(status) }
}
