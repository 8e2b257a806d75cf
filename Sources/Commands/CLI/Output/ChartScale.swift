// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The vertical axis: round numbers that enclose the values.
struct ValueScale: Equatable {
    private(set) var lowest: Double
    private(set) var highest: Double
    private(set) var step: Double

    /// - Parameters:
    ///   - low: Finite, at most `high`.
    ///   - count: About how many ticks to have.
    init(low: Double, high: Double, count: Int) {
        let margin = low == high ? max(abs(low) * 0.1, 0.5) : 0
        let (low, high) = (low - margin, high + margin)
        // Halves first: the difference of two huge numbers may be infinite.
        let rough = max((high / 2 - low / 2) / Double(max(count, 1)) * 2, Double.leastNormalMagnitude)
        let magnitude = pow(10, floor(log10(rough)))
        let factor = [1, 2, 5, 10].first { $0 * magnitude >= rough * 0.999_999 } ?? 10
        step = factor * magnitude
        lowest = floor(low / step) * step
        highest = ceil(high / step) * step
        if !(lowest.isFinite && highest.isFinite && step.isFinite && lowest < highest) {
            // Beyond the numbers that can be rounded: the ends themselves.
            (lowest, highest, step) = (low, high, high / 2 - low / 2)
        }
    }

    /// From the lowest to the highest.
    var ticks: [Double] {
        let count = min(((highest - lowest) / step).rounded(), 100)
        guard count.isFinite, count >= 1 else { return [lowest, highest] }
        return (0...Int(count)).map { lowest + Double($0) * step }
    }

    /// 0 at the lowest value, 1 at the highest.
    func position(of value: Double) -> Double {
        min(max((value / 2 - lowest / 2) / (highest / 2 - lowest / 2), 0), 1)
    }

    /// The label of a tick: as many digits as the step needs, thousands as `k`, `M`, `G` or `T`.
    func label(_ value: Double) -> String {
        let largest = max(abs(lowest), abs(highest))
        let unit = Self.units.first { largest >= $0.size * 10 } ?? (1, "")
        return Self.decimal(value / unit.size, step: step / unit.size) + unit.name
    }

    private static let units: [(size: Double, name: String)] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]

    private static func decimal(_ value: Double, step: Double) -> String {
        let places = max(0, -Int(floor(log10(step) + 1e-9)))
        guard places <= 9, abs(value) < 1e6 else { return CellText.number(value) }
        let scale = pow(10, Double(places))
        let scaled = Int64((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return sign + String(scaled) }
        let digits = String(scaled)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.utf8.count)) + digits
        return "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
    }
}

/// The horizontal axis: times at round distances, in UTC.
struct TimeScale {
    let first: Int64
    let last: Int64

    private static let second: Int64 = 1_000_000_000
    private static let day = 86_400 * second
    private static let steps: [Int64] = [
        1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
        2_592_000, 7_776_000, 31_536_000, 63_072_000, 157_680_000, 315_360_000, 946_080_000, 3_153_600_000,
    ]

    /// - Parameter first: Nanoseconds since 1970, at most `last`.
    init(first: Int64, last: Int64) {
        // Half a second on both sides of a single sample; times at the ends of 64 bits stay as they are.
        let isPoint = first == last
        self.first = isPoint ? max(first, .min + Self.second) - Self.second / 2 : first
        self.last = isPoint ? min(last, .max - Self.second) + Self.second / 2 : last
    }

    /// Nanoseconds as a number that cannot overflow.
    private var span: Double { Double(last) - Double(first) }

    /// 0 at the first time, 1 at the last.
    func position(of time: Int64) -> Double { min(max((Double(time) - Double(first)) / span, 0), 1) }

    /// Times and their labels, so far from each other that the labels do not touch.
    func ticks(columns: Int) -> [(time: Int64, label: String)] {
        let fitting = Self.steps.first { step in
            let count = span / Double(step * Self.second)
            let width = Self.label(first, step: step, crossesDays: crossesDays).utf8.count + 3
            return (count + 1) * Double(width) <= Double(columns)
        }
        guard let fitting else { return [] }
        let step = fitting * Self.second
        var ticks: [(time: Int64, label: String)] = []
        // From the first multiple of the step that is not before the range; division toward zero cannot overflow.
        let rest = first % step
        var (time, isOver) = (first - rest).addingReportingOverflow(rest > 0 ? step : 0)
        while !isOver, time < last {
            ticks.append((time, Self.label(time, step: fitting, crossesDays: crossesDays)))
            (time, isOver) = time.addingReportingOverflow(step)
        }
        return ticks
    }

    private var crossesDays: Bool { TimeText.floorDivide(first, Self.day) != TimeText.floorDivide(last, Self.day) }

    private static func label(_ time: Int64, step: Int64, crossesDays: Bool) -> String {
        let text = TimeText(nanoseconds: time)
        if step >= 86_400 { return text.date }
        let clock = step < 60 ? text.clock : text.hourAndMinute
        return crossesDays ? "\(text.monthAndDay) \(clock)" : clock
    }
}
