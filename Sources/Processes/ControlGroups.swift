// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization

/// Where the control groups of plugins' processes are made.
///
/// The server takes no group that nobody gave it: the one that it is in has to be delegated to it, as `Delegate=yes` of a
/// systemd unit and the root of a container are, or a folder is named. Where there is none, processes have the limits
/// that every process can set itself.
package final class ControlGroups: Sendable {
    /// Where groups are made.
    package enum Place: Sendable, Equatable {
        /// In the server's own group, if it was delegated.
        case delegated
        /// In a folder.
        case folder(String)
        /// Nowhere.
        case none
    }

    /// Why there are no groups.
    package struct Unavailable: Error, Sendable, Equatable, CustomStringConvertible {
        /// The fact.
        package let description: String
    }

    /// The folder that groups are made in.
    package let folder: String
    /// What the kernel limits and counts there.
    package let controllers: Set<String>
    private let next = Atomic<Int>(1)

    /// The group of the server itself, beside those of its plugins: a group with groups in it may have no processes.
    private static let ownName = "server"
    private static let prefix = "plugin-"

    /// Prepares a place.
    ///
    /// - Throws: ``Unavailable``.
    package init(_ place: Place) throws(Unavailable) {
        switch place {
        case .none: throw Unavailable(description: "they are switched off")
        case .folder(let path): folder = path
        case .delegated: folder = try Self.delegatedFolder()
        }
        guard access(folder + "/cgroup.procs", W_OK) == 0 else {
            throw Unavailable(description: "'\(folder)' is no control group that the server may use")
        }
        let offered = ProcessFile.text(folder + "/cgroup.controllers")?.split { $0 == " " || $0 == "\n" } ?? []
        for name in ["memory", "cpu", "pids"] where offered.contains(Substring(name)) {
            ControlGroupFile.write(folder + "/cgroup.subtree_control", "+" + name)
        }
        let given = ProcessFile.text(folder + "/cgroup.subtree_control")?.split { $0 == " " || $0 == "\n" } ?? []
        controllers = Set(given.map(String.init))
        removeLeftOvers()
    }

    /// A group for one process.
    ///
    /// - Throws: ``SpawnError``.
    package func make(_ name: String, limits: ControlGroup.Limits) throws(SpawnError) -> ControlGroup {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        let clean = String(name.prefix(100).map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "_" })
        return try ControlGroup(path: "\(folder)/\(Self.prefix)\(getpid())-\(number)-\(clean)", limits: limits)
    }

    /// Ends what another life of this process left, such as the image that a plugin crashed.
    private func removeLeftOvers() {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix("\(Self.prefix)\(getpid())-") else { continue }
            ControlGroupFile.write("\(folder)/\(name)/cgroup.kill", "1")
            ControlGroupFile.remove("\(folder)/\(name)")
        }
    }

    // MARK: Delegation

    private static func delegatedFolder() throws(Unavailable) -> String {
        guard let own = ownGroup() else {
            throw Unavailable(description: "the system has no control groups of version 2")
        }
        // A server that began anew is in the group that it made before.
        if own.hasSuffix("/" + ownName), isDelegated(String(own.dropLast(ownName.count + 1))) {
            return String(own.dropLast(ownName.count + 1))
        }
        guard isDelegated(own) else {
            throw Unavailable(
                description:
                    "the server's control group '\(own)' was not delegated to it; a systemd unit does that with "
                    + "Delegate=yes")
        }
        let server = own + "/" + ownName
        guard mkdir(server, 0o755) == 0 || errno == EEXIST else {
            throw Unavailable(description: "'\(server)' cannot be made: \(String(cString: strerror(errno)))")
        }
        guard ControlGroupFile.write(server + "/cgroup.procs", "0") else {
            let reason = String(cString: strerror(errno))
            rmdir(server)
            throw Unavailable(description: "the server cannot move into '\(server)': \(reason)")
        }
        return own
    }

    /// A group that the service manager gave away, or the root that a container sees, which is none of the machine's.
    private static func isDelegated(_ path: String) -> Bool {
        for attribute in ["user.delegate", "trusted.delegate"] where linux_has_attribute(path, attribute, "1") != 0 {
            return true
        }
        return mount().map { $0 == path } == true && access(path + "/cgroup.type", F_OK) == 0
    }

    /// Where version 2 is mounted.
    private static func mount() -> String? {
        guard let file = fopen("/proc/self/mountinfo", "re") else { return nil }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var size = 0
        defer { free(line) }
        while getline(&line, &size, file) > 0, let line {
            let fields = String(cString: line).split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1, fields[dash + 1] == "cgroup2",
                fields.count > 4
            else { continue }
            return String(fields[4])
        }
        return nil
    }

    private static func ownGroup() -> String? {
        guard let mount = mount(), let text = ProcessFile.text("/proc/self/cgroup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") })
        else { return nil }
        let path = line.dropFirst(3)
        return path == "/" ? mount : mount + path
    }
}
