// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not what they should be, in words; the callers make verdicts or errors of it.
struct FormatError: Error, Equatable {
    /// What is wrong, without subject: `the checksum of the armor does not match`.
    var message: String

    init(_ message: String) {
        self.message = message
    }
}
