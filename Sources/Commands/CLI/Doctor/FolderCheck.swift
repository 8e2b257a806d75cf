// SPDX-License-Identifier: Apache-2.0
import Glibc
import Settings

/// Whether the folders are there and the server's user may use them.
struct FolderCheck: Sendable {
    let settings: Settings

    func findings() -> [Finding] {
        [
            writable("data"), writable("logs"), readable("plugins"), readable("provisioning"),
        ].compactMap { $0 }
    }

    private func writable(_ key: String) -> Finding? {
        let path = settings.path("paths", key)
        guard !path.isEmpty else { return nil }
        let name = "[paths] \(key) '\(path)'"
        if let refusal = notAFolder(name, path) { return refusal }
        guard Self.exists(path) else {
            let parent = Self.existingParent(of: path)
            guard access(parent, W_OK | X_OK) == 0 else {
                return .error(
                    "paths", "\(name) does not exist and '\(parent)' is not writable for this user",
                    remedy: "make the folder and give it to the server's user")
            }
            return .ok("paths", "\(name) does not exist yet; it can be made")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            return .error(
                "paths", "\(name) is not writable for this user", remedy: "give it to the server's user with chown")
        }
        return .ok("paths", "\(name) is writable")
    }

    private func readable(_ key: String) -> Finding? {
        let path = settings.path("paths", key)
        guard !path.isEmpty else { return nil }
        let name = "[paths] \(key) '\(path)'"
        if let refusal = notAFolder(name, path) { return refusal }
        guard Self.exists(path) else { return .ok("paths", "\(name) does not exist; nothing is read from it") }
        guard access(path, R_OK | X_OK) == 0 else {
            return .error(
                "paths", "\(name) is not readable for this user",
                remedy: "give the server's user the right to read it: chmod -R a+rX")
        }
        return .ok("paths", "\(name) is readable")
    }

    private func notAFolder(_ name: String, _ path: String) -> Finding? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else { return nil }
        return .error("paths", "\(name) is not a folder", remedy: "move the file away or correct the setting")
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The nearest folder above a path that exists.
    static func existingParent(of path: String) -> String {
        var path = path[...]
        while let slash = path.lastIndex(of: "/") {
            path = path[..<slash]
            if path.isEmpty { return "/" }
            if exists(String(path)) { return String(path) }
        }
        return "."
    }
}

/// Whether there is room to write.
struct DiskCheck: Sendable {
    let path: String

    private static let scarce: UInt64 = 1 << 30
    private static let tooLittle: UInt64 = 100 << 20

    func finding() -> Finding {
        let place = FolderCheck.exists(path) ? path : FolderCheck.existingParent(of: path)
        var status = statvfs()
        guard statvfs(place, &status) == 0 else {
            return .warning(
                "disk", "'\(place)': its free space is unknown (\(Terminal.systemMessage(errno)))",
                remedy: "see whether the file system is mounted")
        }
        let (bytes, isHuge) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return Self.finding(place, free: isHuge ? .max : bytes)
    }

    static func finding(_ place: String, free: UInt64) -> Finding {
        let fact = "'\(place)' has \(free >> 20) MiB free"
        let remedy = "make room, or move [paths] data to a larger disk"
        if free < tooLittle { return .error("disk", fact, remedy: remedy) }
        return free < scarce ? .warning("disk", fact, remedy: remedy) : .ok("disk", fact)
    }
}
