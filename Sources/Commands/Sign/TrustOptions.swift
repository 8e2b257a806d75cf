// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import Signing

/// Which trust folder a command uses.
struct TrustOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The trust folder. Without it: $GRAFANA_TRUST, else share/grafana/conf/trust of this installation.",
            valueName: "folder"))
    var trust: String?

    /// The folder, or nil when there is none: then only Grafana's built-in key is trusted.
    ///
    /// Never one of the working folder, which may be that of the plugin to be judged.
    var folder: String? {
        if let trust { return trust }
        if let variable = Terminal.variable("GRAFANA_TRUST"), !variable.isEmpty { return variable }
        return installed.flatMap { access($0, F_OK) == 0 ? $0 : nil }
    }

    /// The folder of `make install`, beside the program.
    private var installed: String? {
        guard let program = FilePaths.real("/proc/self/exe") else { return nil }
        return "\(FilePaths.folder(of: FilePaths.folder(of: program)))/share/grafana/conf/trust"
    }

    /// The trust store.
    ///
    /// - Throws: ``CommandFailure`` `.inputOutput` when a folder is named that does not exist.
    func store() throws -> TrustStore {
        Terminal.silenceLibraries()
        guard let folder else { return try TrustStore.builtIn() }
        guard access(folder, F_OK) == 0 else {
            throw CommandFailure(
                .inputOutput, "trust folder '\(folder)': \(Terminal.systemMessage(errno)); correct --trust")
        }
        return try TrustFolder(folder).load(now: SigningClock.now)
    }

    /// The folder to change.
    ///
    /// - Throws: ``CommandFailure`` `.usage` when none is named and none is there.
    func folderToChange() throws -> TrustFolder {
        Terminal.silenceLibraries()
        guard let folder else {
            throw CommandFailure(
                .usage, "trust folder: none is named, this installation has none; give --trust FOLDER")
        }
        return TrustFolder(folder)
    }
}

/// The time of signing and verifying.
enum SigningClock {
    /// Seconds since 1970.
    static var now: Int64 { Int64(time(nil)) }

    /// The time that a signature names: $SOURCE_DATE_EPOCH if it is set, so that a build can be repeated.
    ///
    /// - Throws: ``CommandFailure`` `.usage` when the variable is no time.
    static func signingTime() throws -> Int64 {
        guard let text = Terminal.variable("SOURCE_DATE_EPOCH"), !text.isEmpty else { return now }
        guard let time = Int64(text), (1..<Int64(UInt32.max)).contains(time) else {
            throw CommandFailure(.usage, "SOURCE_DATE_EPOCH '\(text)': it is no number of seconds; correct or unset it")
        }
        return time
    }

    /// A time as text, in UTC; one beyond the year 2262, which only a forger writes, in seconds.
    static func text(seconds: Int64) -> String {
        let (nanoseconds, isBeyond) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isBeyond ? "\(seconds) s since 1970" : TimeText(nanoseconds: nanoseconds).iso
    }
}

/// Paths as text, and small files.
enum FilePaths {
    static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// All bytes of a file.
    ///
    /// - Throws: ``CommandFailure`` `.inputOutput`.
    static func bytes(of path: String, limit: Int = 32 << 20) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(.inputOutput, "'\(path)': \(Terminal.systemMessage(errno)); name a file that is there")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CommandFailure(.inputOutput, "'\(path)': \(Terminal.systemMessage(errno)); name another file")
            }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else {
                throw CommandFailure(.badData, "'\(path)': it has more than \(limit) bytes; name another file")
            }
        }
    }

    /// Writes a new file that must not exist.
    ///
    /// - Throws: ``CommandFailure`` `.inputOutput`.
    static func create(_ path: String, _ text: String, mode: mode_t) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else {
            throw CommandFailure(
                .inputOutput, "'\(path)': \(Terminal.systemMessage(errno)); choose another name with --output")
        }
        let bytes = Array(text.utf8)
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        let number = errno
        guard close(descriptor) == 0, isWritten else {
            unlink(path)
            throw CommandFailure(.inputOutput, "'\(path)': \(Terminal.systemMessage(number)); make room")
        }
    }
}
