// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// Starts the processes of plugins, all on one thread that never ends.
///
/// The kernel kills a process when the *thread* that started it ends, not when the whole parent does; this thread lives
/// as long as the server. It ends with the server however that ends, also when another image takes the server's place.
package enum ProcessSpawner {
    private static let thread = ThreadQueue(name: "plugin-spawner")

    /// Starts a program.
    ///
    /// - Throws: ``SpawnError``.
    package static func start(_ launch: ProcessLaunch) async throws(SpawnError) -> ChildProcess {
        let result: Result<ChildProcess, SpawnError> = await withCheckedContinuation { continuation in
            thread.submit { continuation.resume(returning: spawn(launch)) }
        }
        return try result.get()
    }

    /// Starts a program; the calling thread waits for it, about half a millisecond.
    ///
    /// - Throws: ``SpawnError``.
    package static func startAndWait(_ launch: ProcessLaunch) throws(SpawnError) -> ChildProcess {
        let outcome = BlockingResult<Result<ChildProcess, SpawnError>>()
        thread.submit { outcome.fulfil(spawn(launch)) }
        return try outcome.wait().get()
    }

    private static func spawn(_ launch: ProcessLaunch) -> Result<ChildProcess, SpawnError> {
        var output: (read: Int32, write: Int32) = (-1, -1)
        var errors: (read: Int32, write: Int32) = (-1, -1)
        var status = linux_pipe(&output.read, &output.write)
        if status == 0 { status = linux_pipe(&errors.read, &errors.write) }
        defer { for descriptor in [output.write, errors.write] where descriptor >= 0 { close(descriptor) } }
        func failure(_ step: String, _ number: Int32) -> Result<ChildProcess, SpawnError> {
            for descriptor in [output.read, errors.read] where descriptor >= 0 { close(descriptor) }
            launch.group?.remove()
            return .failure(SpawnError(step: step, number: number))
        }
        guard status == 0 else { return failure("pipe", status) }
        var pidDescriptor: Int32 = -1
        let guardian = ProcessGuardian.socket()
        var processID = start(launch, output.write, errors.write, guardian: guardian, &pidDescriptor)
        // A process that is being started elsewhere may have inherited the descriptor that the file was written with.
        for _ in 0..<200 where processID <= 0 && errno == ETXTBSY {
            usleep(10_000)
            processID = start(launch, output.write, errors.write, guardian: guardian, &pidDescriptor)
        }
        guard processID > 0 else { return failure("execute", errno) }
        ProcessGuardian.began(processID)
        return .success(
            ChildProcess(
                processID: processID, pidDescriptor: pidDescriptor, output: output.read, errors: errors.read,
                group: launch.group))
    }

    /// - Returns: the number of the process; -1 and `errno` when there is none.
    static func start(
        _ launch: ProcessLaunch, _ output: Int32, _ errors: Int32, guardian: Int32, _ pidDescriptor: inout Int32
    ) -> Int32 {
        withCStrings([launch.path]) { path in
            withCStrings(launch.arguments) { arguments in
                withCStrings(launch.environment) { environment in
                    launch.descriptors.withUnsafeBufferPointer { descriptors in
                        var program = linux_program_t()
                        program.path = UnsafePointer(path[0])
                        program.image = launch.image ?? -1
                        program.arguments = UnsafePointer(arguments)
                        program.environment = UnsafePointer(environment)
                        program.output = output
                        program.errors = errors
                        program.fds = descriptors.baseAddress
                        program.fd_count = Int32(descriptors.count)
                        program.group = launch.group?.entrance ?? -1
                        program.guardian = guardian
                        return linux_start_program(&program, &pidDescriptor)
                    }
                }
            }
        }
    }

    private static func withCStrings<R>(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var copies = texts.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        return copies.withUnsafeMutableBufferPointer { buffer in
            // '!' is fine: there is at least the nil at the end
            body(buffer.baseAddress!)
        }
    }
}

/// A value that one thread gives and another waits for.
///
/// Safety: `value` is touched only with `mutex` held.
package final class BlockingResult<Value: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value?

    /// Nothing was given yet.
    package init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Gives the value; only the first one counts.
    package func fulfil(_ new: Value) {
        pthread_mutex_lock(mutex)
        if value == nil { value = new }
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits for the value; never on the cooperative pool.
    @discardableResult
    package func wait() -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let value { return value }
            pthread_cond_wait(condition, mutex)
        }
    }
}
