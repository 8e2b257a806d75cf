// SPDX-License-Identifier: Apache-2.0

/// Parses bytes as JSON.
///
/// What is accepted must be parsed again from what we write.
@Sendable func fuzzJSONText(_ bytes: UnsafeBufferPointer<UInt8>) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let value = try? JSONValue(parsing: text) else { return }
    guard (try? JSONValue(parsing: value.encoded())) != nil else { fatalError("our own JSON is refused") }
}
