// SPDX-License-Identifier: Apache-2.0

/// The variables that data sources replace in expressions themselves.
enum QueryVariables {
    /// A name without `$`, and what stands for it.
    typealias Value = (name: String, text: String)

    /// `$__interval_ms` and `$__interval`.
    static func ofInterval(_ interval: Interval) -> [Value] {
        [("__interval_ms", String(interval.milliseconds)), ("__interval", interval.text)]
    }

    /// `$__range_ms`, `$__range_s` and `$__range`.
    static func ofRange(_ range: Interval) -> [Value] {
        let seconds = seconds(range)
        return [
            ("__range_ms", String(range.milliseconds)), ("__range_s", String(seconds)), ("__range", "\(seconds)s"),
        ]
    }

    /// Whole seconds, rounded half up.
    static func seconds(_ range: Interval) -> Int64 {
        range.nanoseconds / 1_000_000_000 + (range.nanoseconds % 1_000_000_000 >= 500_000_000 ? 1 : 0)
    }

    /// The expression with the values in both forms: `$__interval`, `${__interval}`.
    ///
    /// - Parameter values: Longer names first: `__interval` is the start of `__interval_ms`.
    static func replace(_ values: [Value], in expression: String) -> String {
        var text = expression
        for (name, value) in values { text = text.replacing("$" + name, with: value) }
        for (name, value) in values { text = text.replacing("${" + name + "}", with: value) }
        return text
    }
}
