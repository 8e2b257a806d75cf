// SPDX-License-Identifier: Apache-2.0
internal import Logging
internal import Processes

/// What all processes of plugins share.
extension PluginPlatform {
    /// Has a process end what plugins start themselves when the server is killed.
    static func guardProcesses(_ runner: RunnerSettings, _ logger: Logger) {
        // Without it no plugin runs in a process of its own but Go plugins.
        guard let program = RunnerSettings().executable ?? runner.executable else { return }
        ProcessGuardian.use(program: program) { error in
            logger.warning(
                "What plugins start themselves would outlive the server if it was killed",
                metadata: ["reason": "\(error)"])
        }
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
