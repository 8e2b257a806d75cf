// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Collects the float samples of one series.
struct SampleBuilder: Sendable {
    /// Far above the 11,000 points that servers allow, within what a frame can hold.
    static let maximumCount = 10_000_000

    private(set) var times = ColumnBuilder<Timestamp>()
    private(set) var values = ColumnBuilder<Double>()
    /// The parts of the sample that is being read.
    var time: Timestamp?
    private var value: Double?
    /// The size of the series before: the next is mostly alike.
    private var expectedCount = 0

    @inline(__always)
    mutating func append(_ time: Timestamp, _ value: Double) {
        times.append(time)
        values.append(value)
    }

    mutating func reserve() {
        guard times.count == 0, expectedCount > 0 else { return }
        times = ColumnBuilder(capacity: expectedCount)
        values = ColumnBuilder(capacity: expectedCount)
    }

    mutating func beginSample() {
        time = nil
        value = nil
    }

    mutating func take(value: Double) throws {
        guard time != nil, self.value == nil else {
            throw JSONTokenizer.failure("has a sample that is not [time, value]")
        }
        self.value = value
    }

    mutating func endSample() throws {
        guard let time, let value else { throw JSONTokenizer.failure("has a sample that is not [time, value]") }
        append(time, value)
        try checkCount()
    }

    func checkCount() throws {
        guard times.count <= Self.maximumCount else {
            throw PluginError(
                .limit,
                "the server's answer has a series of more than \(Self.maximumCount) points",
                source: .downstream)
        }
    }

    mutating func finish() -> (times: Column, values: Column) {
        expectedCount = min(times.count, 16_384)
        return (times.finish(), values.finish())
    }
}

extension SampleBuilder {
    /// Reads samples of the usual form, `[1435781430.781,"1.5"],`, as far as they are complete in `bytes`.
    ///
    /// Stops before the first of another form (white space, an exponent in the time, a missing end), and leaves it to
    /// the tokenizer, which knows all forms and all errors. An ordinary sample costs about as much as its digits.
    mutating func takeRun(
        in bytes: Span<UInt8>, at position: inout Int, _ tokenizer: inout JSONTokenizer
    ) throws {
        var index = position
        switch tokenizer.expectation {
        case .value, .valueOrEnd: break
        case .commaOrEnd where index < bytes.count && bytes[index] == UInt8(ascii: ","): index += 1
        default: return
        }
        reserve()
        while let sample = UsualSample(bytes, at: index) {
            append(sample.time, sample.value)
            position = sample.end
            tokenizer.expectation = .commaOrEnd
            guard position < bytes.count, bytes[position] == UInt8(ascii: ",") else { break }
            index = position + 1
        }
        try checkCount()
    }
}
