// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Numbers that follow from a seed: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    /// Small whole numbers, whose sums are exact, and now and then null, NaN and infinities.
    mutating func value(oddities: Bool = true) -> Double? {
        switch oddities ? Int.random(in: 0..<12, using: &self) : 11 {
        case 0, 1: nil
        case 2: .nan
        case 3: Bool.random(using: &self) ? .infinity : -.infinity
        case 4: 0
        case 5: -0.0
        default: Double(Int.random(in: -50...50, using: &self))
        }
    }

    /// Up to three labels with two values each.
    mutating func labels() -> Labels {
        var labels: Labels = [:]
        for name in ["a", "b", "c"] where Bool.random(using: &self) {
            labels[name] = Bool.random(using: &self) ? "1" : "2"
        }
        return labels
    }

    /// A series with some of the seconds 0…20: ascending, or in any order and perhaps twice.
    mutating func series(isSorted: Bool, oddities: Bool = true) -> DataFrame {
        var seconds = (0...20).filter { _ in Bool.random(using: &self) }.map { Int64($0) }
        if !isSorted {
            if let twice = seconds.first { seconds.append(twice) }
            seconds.shuffle(using: &self)
        }
        return seriesFrame(seconds.map { _ in value(oddities: oddities) }, labels: labels(), at: seconds)
    }

    /// Up to five series, or numbers.
    mutating func frames(isSorted: Bool = true) -> [DataFrame] {
        let isSeries = Int.random(in: 0..<3, using: &self) > 0
        return (0..<Int.random(in: 1...5, using: &self)).map { _ in
            isSeries ? series(isSorted: isSorted) : numberFrame(value(), labels: labels())
        }
    }
}

/// The seeds of the property tests; the last is new in each run, and a failure shows it.
let seeds: [UInt64] = (1...24).map { $0 } + [UInt64.random(in: 1_000_000...9_999_999)]
