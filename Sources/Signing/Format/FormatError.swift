// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not what they should be, in words; the callers make verdicts or errors of it.
struct FormatError: Error, Equatable {
    /// What is wrong, without subject: `the checksum of the armor does not match`.
    var message: String
    /// Whether a key of a JSON object occurs twice, which has a verdict of its own.
    var isDuplicateKey = false

    init(_ message: String, isDuplicateKey: Bool = false) {
        self.message = message
        self.isDuplicateKey = isDuplicateKey
    }
}
