// SPDX-License-Identifier: Apache-2.0

/// The processor time that the calls of one process may still take.
///
/// Who took how much is known of the process alone. Each call therefore brings its budget along, each stream one for
/// every minute, and what the process takes is drawn from all of them; what short calls leave is not saved.
struct ProcessorAccount: Sendable {
    private var begun = 0
    private var balance = 0.0
    /// Of the process, when it was looked at last; nil: nobody looks.
    private var seen: Double?

    /// A call began.
    mutating func began() { begun += 1 }

    /// Whether somebody looks.
    var isOpen: Bool { seen != nil }

    /// Begins to look, unless somebody does.
    mutating func open(used: Double) -> Bool {
        guard seen == nil else { return false }
        seen = used
        balance = 0
        return true
    }

    /// Looks at another process from now on, to which the calls that run are sent again.
    ///
    /// - Parameter used: by the new process.
    mutating func restart(used: Double, running: Int) {
        seen = used
        balance = 0
        begun = running
    }

    /// Nobody looks any more, since no call runs.
    mutating func close() {
        seen = nil
        begun = 0
    }

    /// Leaves out what the process took since it was looked at last, as making an instance is no call.
    mutating func skip(used: Double) { seen = used }

    /// Seconds that the process took since it was looked at last.
    func taken(used: Double) -> Double { max(0, used - (seen ?? used)) }

    /// Draws what the process took since it was looked at last.
    ///
    /// - Parameters:
    ///   - used: seconds of processor time, since the process was started.
    ///   - running: calls that run now, without streams.
    ///   - elapsed: seconds since it was looked at last.
    /// - Returns: whether it took too much.
    mutating func draw(used: Double, budget: Double, running: Int, streams: Int, elapsed: Double) -> Bool {
        let taken = taken(used: used)
        balance += Double(begun) * budget + Double(streams) * budget * elapsed / 60 - taken
        let isOver = balance < 0
        balance = min(balance, Double(max(running + streams, begun)) * budget)
        begun = 0
        seen = used
        return isOver
    }
}
