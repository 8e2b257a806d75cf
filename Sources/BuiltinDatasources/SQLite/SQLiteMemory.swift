// SPDX-License-Identifier: Apache-2.0
import CSQLite
import PluginABI
import Synchronization

/// The memory that the statements of all SQLite data sources take together.
///
/// SQLite counts for the whole process. What is there before the first of them begins is not theirs, and a statement
/// while which hardly anything was taken is not to blame.
enum SQLiteMemory {
    /// Sorting and grouping go to temporary files long before; values that are computed do not.
    static let maximumBytes: Int64 = 256 << 20
    /// Growth for which a statement may be to blame.
    private static let noticedBytes: Int64 = 64 << 20

    private struct State {
        var statements = 0
        var bytesBefore: Int64 = 0
    }

    private static let state = Mutex(State())

    /// What one statement takes, as its thread sees it.
    final class Share {
        private var last = sqlite3_memory_used()
        private var grown: Int64 = 0

        init() {
            let used = last
            state.withLock { state in
                if state.statements == 0 { state.bytesBefore = used }
                state.statements += 1
            }
        }

        deinit { state.withLock { $0.statements -= 1 } }

        /// Whether the statement must end.
        func isTooLarge() -> Bool {
            let used = sqlite3_memory_used()
            grown += used - last
            last = used
            return grown > noticedBytes && used - state.withLock(\.bytesBefore) > maximumBytes
        }
    }

    static var failure: PluginError {
        PluginError(
            .limit,
            "the statements that run on SQLite files take more than \(maximumBytes >> 20) MiB together; select fewer or "
                + "shorter values", source: .limit)
    }
}
