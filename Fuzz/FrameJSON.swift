// SPDX-License-Identifier: Apache-2.0

/// Reads bytes as Grafana's frame JSON.
///
/// What is accepted must be writable as an Arrow file that is readable.
@Sendable func fuzzFrameJSON(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let frame = try? DataFrame(json: bytes) else { return }
    guard let again = try? DataFrame(arrow: frame.arrowFile()) else { fatalError("our own file is refused") }
    precondition(again.rowCount == frame.rowCount && again.fields.count == frame.fields.count)
}
