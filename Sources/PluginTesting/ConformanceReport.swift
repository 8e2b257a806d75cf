// SPDX-License-Identifier: Apache-2.0

/// One thing that is not the same at two places, or not as the rule says.
public struct ConformanceDifference: Sendable, CustomStringConvertible {
    /// Where.
    public var place: ConformancePlace
    /// The name of the case.
    public var caseName: String
    /// What the case proves.
    public var rule: String
    /// What differs, such as `query 'A', frame 0 'sine', field 'value', row 3`.
    public var subject: String
    /// What was found at the place.
    public var found: String
    /// What was expected there.
    public var expected: String
    /// Whose answer that was; nil: the rule's.
    public var reference: ConformancePlace?
    /// Why that is known, if it was declared.
    public var exception: String?

    /// `at L2: query 'A', field 'value', row 3: 1.5, at L1: 2.5`.
    public var description: String {
        let other = reference.map { "at \($0)" } ?? "expected"
        return "at \(place): \(subject): \(found), \(other): \(expected)"
    }
}

/// What a run found.
public struct ConformanceReport: Sendable, CustomStringConvertible {
    /// The plugin's id.
    public var pluginID: String
    /// Where it ran; the first is what the others were compared with.
    public var places: [ConformancePlace]
    /// The names of all cases, in the order in which they ran.
    public var cases: [String]
    /// What differs and was not declared.
    public var differences: [ConformanceDifference]
    /// What differs as it was declared.
    public var knownDifferences: [ConformanceDifference]
    /// Exceptions that nothing needed, each with its reason.
    public var unusedExceptions: [String]

    /// Whether nothing differs but what was declared, and all that was declared differs.
    public var isPassed: Bool { differences.isEmpty && unusedExceptions.isEmpty && !cases.isEmpty && places.count > 1 }

    /// A line for the run, and one for each difference under the name of its case.
    public var description: String {
        var lines = [
            "\(pluginID) at \(places.map(\.rawValue).joined(separator: ", ")): \(cases.count) cases, "
                + "\(differences.count) differences, \(knownDifferences.count) known"
        ]
        if places.count < 2 { lines.append("there is nothing to compare: one place is not two") }
        var last = ""
        for difference in differences {
            if difference.caseName != last { lines.append("- \(difference.caseName) (\(difference.rule))") }
            last = difference.caseName
            lines.append("  \(difference)")
        }
        for difference in knownDifferences {
            lines.append("~ \(difference.caseName), as declared (\(difference.exception ?? "")): \(difference)")
        }
        for exception in unusedExceptions { lines.append("- an exception is not needed any more: \(exception)") }
        return lines.joined(separator: "\n")
    }
}
