// SPDX-License-Identifier: Apache-2.0

/// Reads bytes as an Arrow file.
///
/// What is accepted must survive being written and read again, and be writable as JSON.
@Sendable func fuzzArrowFile(_ bytes: UnsafeBufferPointer<UInt8>) {
    let input = [UInt8](bytes)
    guard let frame = try? DataFrame(arrow: input) else { return }
    guard let again = try? DataFrame(arrow: frame.arrowFile()) else { fatalError("our own file is refused") }
    precondition(again.rowCount == frame.rowCount && again.fields.count == frame.fields.count)
    precondition(!frame.json().isEmpty)
}
