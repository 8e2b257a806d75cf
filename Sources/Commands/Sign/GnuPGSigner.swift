// SPDX-License-Identifier: Apache-2.0
import Glibc
import Signing

/// Signs with a key that GnuPG's agent keeps, perhaps on a card.
struct GnuPGSigner: TextSigner {
    let publicKey: PublicKey

    /// - Throws: ``CommandFailure`` `.badData` when GnuPG has no such key, `.unavailable` when there is no GnuPG.
    init(userID: String) throws {
        let bytes = try Self.run(["--batch", "--export", "--export-options", "export-minimal", userID], input: [])
        guard !bytes.isEmpty else {
            throw CommandFailure(.badData, "gpg: it has no key '\(userID)'; list its keys with gpg --list-secret-keys")
        }
        do {
            publicKey = try PublicKey(parsing: bytes)
        } catch {
            throw CommandFailure(error, subject: userID)
        }
    }

    func sign(_ text: String) throws -> [UInt8] {
        let arguments = ["--local-user", publicKey.fingerprint, "--digest-algo", "SHA512", "--clear-sign"]
        return [0x0A] + (try Self.run(arguments, input: Array(text.utf8)))
    }

    /// What the program writes to standard output; it asks and complains at the terminal itself.
    private static func run(_ arguments: [String], input: [UInt8]) throws -> [UInt8] {
        // Through files: neither program waits for the other, whatever the size.
        guard let source = tmpfile() else { throw noFile() }
        defer { fclose(source) }
        guard let target = tmpfile() else { throw noFile() }
        defer { fclose(target) }
        guard fwrite(input, 1, input.count, source) == input.count, fflush(source) == 0 else { throw noFile() }
        rewind(source)
        let child = try spawn(["gpg"] + arguments, input: fileno(source), output: fileno(target))
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            throw CommandFailure(.badData, "gpg: it failed, see above; check --gpg with gpg --list-secret-keys")
        }
        lseek(fileno(target), 0, SEEK_SET)
        return readAll(fileno(target))
    }

    private static func noFile() -> CommandFailure {
        CommandFailure(.inputOutput, "gpg: no temporary file: \(Terminal.systemMessage(errno)); make room in /tmp")
    }

    private static func spawn(_ words: [String], input: Int32, output: Int32) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        let status = posix_spawnp(&child, words[0], &actions, nil, &arguments, environ)
        guard status == 0 else {
            throw CommandFailure(.unavailable, "gpg: \(Terminal.systemMessage(status)); install gnupg or use --key")
        }
        return child
    }

    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }
}
