// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Processes

/// How plugins run in processes of their own; `[plugins]` in the configuration.
public struct RunnerSettings: Sendable {
    /// The program `grafana-plugin-runner`; empty: beside the program that runs, or in `../libexec/grafana`.
    public var path: String
    /// A process without calls ends after this time; nil: never.
    public var idleTime: Duration?
    /// Private memory of one process, in bytes; 0: no limit.
    public var memoryBytes: UInt64
    /// Memory that a process shares with the server for its frames, in bytes.
    public var sharedBytes: UInt64
    /// Open files of one process; 0: no limit.
    public var files: UInt32
    /// Files and folders that the operator lets a sandbox read beside those of its plugin.json, by plugin id.
    public var permittedPaths: [String: [String]] = [:]
    /// Hundredths of one processor that a process and its children have together; 0: no limit.
    ///
    /// Needs a control group.
    public var processorPercent: UInt32
    /// Processes and threads of one plugin; 0: no limit.
    ///
    /// Needs a control group.
    public var tasks: UInt32
    /// Processor time that one call may take; nil: no limit.
    public var callProcessorTime: Duration?

    /// Takes 15 minutes, 1 GiB of private and 1 GiB of shared memory, 1,024 files, 512 tasks and no limit of processor
    /// time where nothing is given.
    public init(
        path: String = "", idleTime: Duration? = .seconds(900), memoryBytes: UInt64 = 1 << 30,
        sharedBytes: UInt64 = 1 << 30, files: UInt32 = 1_024, processorPercent: UInt32 = 0, tasks: UInt32 = 512,
        callProcessorTime: Duration? = nil
    ) {
        self.path = path
        self.idleTime = idleTime
        self.memoryBytes = memoryBytes
        self.sharedBytes = sharedBytes
        self.files = files
        self.processorPercent = processorPercent
        self.tasks = tasks
        self.callProcessorTime = callProcessorTime
    }

    /// What the control group of a process may use: the frames that it shares are counted for it.
    var groupLimits: ControlGroup.Limits {
        ControlGroup.Limits(
            memoryBytes: memoryBytes == 0 ? 0 : memoryBytes + sharedBytes, processorPercent: processorPercent,
            tasks: tasks)
    }

    /// The program's name.
    static let program = "grafana-plugin-runner"

    /// The program that is started: the one that is set, or the first one that is found.
    var executable: String? {
        let candidates = path.isEmpty ? Self.folders.map { "\($0)/\(Self.program)" } : [path]
        return candidates.first { access($0, X_OK) == 0 }
    }

    /// The folder of plugins that are part of the server and come as libraries: beside the program that runs, or in
    /// `../libexec/grafana`; nil when there is none.
    public static var corePlugins: String? {
        folders.map { "\($0)/core-plugins" }.first { access($0, R_OK | X_OK) == 0 }
    }

    /// Where the programs that this server starts may lie; for messages, too.
    package static var folders: [String] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        var folders: [String] = []
        let count = readlink("/proc/self/exe", &buffer, Int(PATH_MAX))
        if count > 0 {
            let own = folder(of: String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self))
            folders += [own, folder(of: own) + "/libexec/grafana"]
        }
        // The tests of a package run in a program of the toolchain, and are themselves in the build folder.
        folders += CommandLine.arguments.filter { $0.hasSuffix(".xctest") }.map(folder)
        return folders
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
