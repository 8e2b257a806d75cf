// SPDX-License-Identifier: Apache-2.0

/// A small random number generator (SplitMix64) that gives the same numbers for the same seed on every machine.
struct ScenarioRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// - Parameter seed: `nil` takes a seed from the system.
    init(seed: Int64?, stream: Int = 0) {
        let base = seed.map { UInt64(bitPattern: $0) } ?? UInt64.random(in: .min ... .max)
        // An odd constant spreads neighbouring streams over the whole period.
        state = base &+ UInt64(truncatingIfNeeded: stream) &* 0xA24B_AED4_963E_E407
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0 ..< 1.
    mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// True in `percent` of 100 cases.
    mutating func chance(percent: Double) -> Bool {
        percent > 0 && unit() * 100 < percent
    }
}
