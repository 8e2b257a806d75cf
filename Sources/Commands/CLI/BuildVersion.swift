// SPDX-License-Identifier: Apache-2.0
import Server

/// What the programs say about themselves.
enum BuildVersion {
    /// The line of `--version`; a build from a folder without version control has no commit, as in Grafana.
    static let line = "Version \(ServerOptions.announcedVersion) (commit: NA, branch: NA)"
}
