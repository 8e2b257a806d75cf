// SPDX-License-Identifier: Apache-2.0

/// One step of a verification, for those who ask why.
public struct VerificationStep: Sendable, Equatable {
    /// How the step ended.
    public enum Outcome: String, Sendable {
        case passed, failed
        /// Nothing was to be checked.
        case skipped
    }

    /// The step, such as `signature`; kebab-case.
    public var name: String
    /// How it ended.
    public var outcome: Outcome
    /// What was found.
    public var detail: String

    /// Makes a step.
    public init(_ name: String, _ outcome: Outcome, _ detail: String) {
        self.name = name
        self.outcome = outcome
        self.detail = detail
    }
}
