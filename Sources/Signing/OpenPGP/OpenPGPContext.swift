// SPDX-License-Identifier: Apache-2.0

internal import CRNP
internal import Glibc

/// A key ring of librnp in memory, for one operation; no file of the user is read.
///
/// Belongs to one thread at a time.
final class OpenPGPContext {
    let ffi: rnp_ffi_t

    /// - Parameter time: The present time of the library, seconds since 1970; nil: the system's.
    init(time: Int64? = nil) throws(SigningError) {
        var created: rnp_ffi_t?
        try openPGP(rnp_ffi_create(&created, "GPG", "GPG"), "start")
        guard let created else { throw SigningError(.openPGPFailure, "OpenPGP: librnp gave no context") }
        ffi = created
        if let time { try openPGP(rnp_set_timestamp(ffi, UInt64(max(1, time))), "set the time") }
        // From the beginning of time, for keys and data: the library's own rules let old SHA-1 signatures pass.
        for hash in ["MD5", "SHA1", "RIPEMD160"] {
            try openPGP(
                rnp_add_security_rule(ffi, "hash algorithm", hash, 1, 0, 1), "forbid the hash \(hash)")
        }
    }

    deinit {
        rnp_ffi_destroy(ffi)
    }

    /// Adds all keys of the packets.
    func importKeys(_ packets: [UInt8], secret: Bool) throws(SigningError) {
        let flags: UInt32 = secret ? 3 : 1  // RNP_LOAD_SAVE_PUBLIC_KEYS, RNP_LOAD_SAVE_SECRET_KEYS
        let result = withInput(packets) { rnp_import_keys(ffi, $0, flags, nil) }
        try openPGP(result, "read the key")
    }

    /// The handles of all keys, primary ones and subkeys.
    func keys() throws(SigningError) -> [OpenPGPHandle] {
        var iterator: rnp_identifier_iterator_t?
        try openPGP(rnp_identifier_iterator_create(ffi, &iterator, "fingerprint"), "list keys")
        defer { rnp_identifier_iterator_destroy(iterator) }
        var handles: [OpenPGPHandle] = []
        while true {
            var fingerprint: UnsafePointer<CChar>?
            guard rnp_identifier_iterator_next(iterator, &fingerprint) == 0, let fingerprint else { return handles }
            var handle: rnp_key_handle_t?
            try openPGP(rnp_locate_key(ffi, "fingerprint", fingerprint, &handle), "find a key")
            if let handle { handles.append(OpenPGPHandle(handle)) }
        }
    }

    /// Calls `body` with a reader of the bytes.
    func withInput(_ bytes: [UInt8], _ body: (rnp_input_t) -> rnp_result_t) -> rnp_result_t {
        bytes.withUnsafeBufferPointer { buffer in
            var input: rnp_input_t?
            let result = rnp_input_from_memory(&input, buffer.baseAddress, buffer.count, false)
            guard result == 0, let input else { return result }
            defer { rnp_input_destroy(input) }
            return body(input)
        }
    }

    /// What `body` writes.
    func output(_ purpose: String, _ body: (rnp_output_t) -> rnp_result_t) throws(SigningError) -> [UInt8] {
        var output: rnp_output_t?
        try openPGP(rnp_output_to_memory(&output, 0), purpose)
        guard let output else { throw SigningError(.openPGPFailure, "OpenPGP: librnp gave no output") }
        defer { rnp_output_destroy(output) }
        try openPGP(body(output), purpose)
        var start: UnsafeMutablePointer<UInt8>?
        var count = 0
        try openPGP(rnp_output_memory_get_buf(output, &start, &count, false), purpose)
        return Array(UnsafeBufferPointer(start: start, count: count))
    }
}

/// A key in a context; has to go before the context.
final class OpenPGPHandle {
    let key: rnp_key_handle_t

    init(_ key: rnp_key_handle_t) {
        self.key = key
    }

    deinit {
        rnp_key_handle_destroy(key)
    }

    /// A text attribute; empty when there is none.
    func text(_ get: (rnp_key_handle_t?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> rnp_result_t) -> String
    {
        openPGPText { get(key, $0) }
    }

    /// A truth value; false when it cannot be told.
    func flag(_ get: (rnp_key_handle_t?, UnsafeMutablePointer<Bool>?) -> rnp_result_t) -> Bool {
        var value = false
        return get(key, &value) == 0 && value
    }

    /// A number; 0 when there is none.
    func number(_ get: (rnp_key_handle_t?, UnsafeMutablePointer<UInt32>?) -> rnp_result_t) -> UInt32 {
        var value: UInt32 = 0
        return get(key, &value) == 0 ? value : 0
    }

    /// Whether the key may make signatures.
    var canSign: Bool {
        var value = false
        return rnp_key_allows_usage(key, "sign", &value) == 0 && value
    }
}

/// A text that the library allocates; empty on failure.
func openPGPText(_ get: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> rnp_result_t) -> String {
    var text: UnsafeMutablePointer<CChar>?
    guard get(&text) == 0, let text else { return "" }
    defer { rnp_buffer_destroy(text) }
    return String(cString: text)
}

/// Makes an error of a failed call.
func openPGP(_ result: rnp_result_t, _ purpose: String) throws(SigningError) {
    guard result != 0 else { return }
    let words = rnp_result_to_string(result).map { String(cString: $0) } ?? "error \(result)"
    throw SigningError(.openPGPFailure, "OpenPGP: librnp could not \(purpose): \(words)")
}
