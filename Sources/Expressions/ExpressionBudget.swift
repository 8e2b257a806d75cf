// SPDX-License-Identifier: Apache-2.0

/// What the expressions of a request may still cost.
struct ExpressionBudget: Sendable {
    var limits = ExpressionLimits()
    var checkpoint = ExpressionCheckpoint.none
    /// What the results that are kept take, as ``ExpressionValue/byteCount`` says.
    var heldBytes = 0

    /// Checks that there is room for a result beside what is held.
    ///
    /// - Parameter subject: What asks for it, for the message: `resampling 3 series`.
    /// - Throws: ``ExpressionError`` `.limit`.
    func check(_ bytes: Int, for subject: @autoclosure () -> String) throws(ExpressionError) {
        guard heldBytes + bytes <= limits.resultBytes else {
            throw ExpressionError(
                .limit,
                "\(subject()) takes more memory than the \(limits.resultBytes >> 20) MiB that the results of a "
                    + "request's expressions may have; ask for fewer series, a shorter time range or a longer interval")
        }
    }
}
