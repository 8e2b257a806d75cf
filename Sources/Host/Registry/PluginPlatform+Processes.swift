// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import Processes

/// What all processes of plugins share.
extension PluginPlatform {
    /// Has a process end what plugins start themselves when the server is killed.
    static func guardProcesses(_ runner: RunnerSettings, _ logger: Logger) {
        @Sendable func warn(_ reason: String) {
            logger.warning(
                "What plugins start themselves would outlive a server that is killed", metadata: ["reason": "\(reason)"]
            )
        }
        guard let program = RunnerSettings().executable ?? runner.executable else {
            return warn("\(RunnerSettings.program) is missing")
        }
        ProcessGuardian.use(program: program) { warn("\($0)") }
    }

    static func controlGroups(_ place: ControlGroupPlace, _ logger: Logger) -> ControlGroups? {
        do {
            let groups = try ControlGroups(place.place)
            logger.info(
                "Processes of plugins run in control groups",
                metadata: [
                    "folder": "\(groups.folder)",
                    "controllers": "\(groups.controllers.sorted().joined(separator: ", "))",
                ])
            return groups
        } catch {
            if place != .none {
                logger.info("Processes of plugins run without control groups", metadata: ["reason": "\(error)"])
            }
            return nil
        }
    }
}
