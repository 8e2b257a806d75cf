// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Keeps the text of one object of a document that is read token by token, such as its statistics.
struct JSONCapture: Sendable {
    /// Statistics are a few thousand bytes; more are dropped.
    private static let maximumBytes = 65_536

    private var text: [UInt8] = []

    /// Begins behind the opening bracket of the object.
    mutating func begin() { text = Array("{".utf8) }

    /// Takes what follows, up to and with the closing bracket.
    mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard text.count + range.count <= Self.maximumBytes else { return text.removeAll() }
        guard !text.isEmpty else { return }
        bytes.extracting(range).withUnsafeBufferPointer { text.append(contentsOf: $0) }
    }

    /// The object's text; nil when nothing was kept.
    func finish() -> JSONText? {
        guard !text.isEmpty else { return nil }
        return String(validating: text, as: UTF8.self).map { JSONText($0) }
    }
}
