// SPDX-License-Identifier: Apache-2.0
import Glibc
import Logging
import UnixSignals

/// The signals beside the service group's own: SIGHUP opens the log file anew, a second SIGTERM or SIGINT ends at once.
enum Signals {
    static func watch(logs: LogOutput, logger: Logger) async {
        var stops = 0
        for await signal in await UnixSignalsSequence(trapping: .sighup, .sigterm, .sigint) {
            if signal == .sighup {
                logs.reopen()
                continue
            }
            stops += 1
            if stops == 1 {
                logger.info("Shutting down: running requests end first", metadata: ["signal": "\(signal)"])
            } else {
                _exit(signal == .sigint ? 130 : 143)
            }
        }
    }
}
