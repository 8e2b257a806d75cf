// SPDX-License-Identifier: Apache-2.0
import Dispatch
import PluginABI
import PluginHost
import Storage
import Synchronization

/// The key-value store of the database as plugins see it: blocking, on their own threads.
struct KeyValueBridge: KeyValueBackend {
    let store: Storage.KeyValueStore

    func get(scope: String, key: String) throws -> (value: [UInt8], version: Int64)? {
        try wait { try await store.find(orgID: 0, namespace: scope, key: key) }
            .map { ($0.value, Int64($0.version)) }
    }

    func put(scope: String, key: String, value: [UInt8], version: Int64?) throws -> Int64 {
        let expected = version.map { Int(clamping: $0) }
        return Int64(
            try wait { try await store.set(orgID: 0, namespace: scope, key: key, to: value, expectedVersion: expected) }
        )
    }

    func remove(scope: String, key: String) throws {
        _ = try wait { try await store.delete(orgID: 0, namespace: scope, key: key) }
    }

    func keys(scope: String, prefix: String) throws -> [String] {
        try wait { try await store.keys(orgID: 0, namespace: scope, prefix: prefix) }
    }

    func totalBytes(scope: String) throws -> Int {
        try wait { try await store.totalSize(orgID: 0, namespace: scope) }
    }

    /// Runs the work in a task and blocks this thread, which is a plugin's, until it has ended.
    private func wait<R: Sendable>(_ work: @escaping @Sendable () async throws -> R) throws -> R {
        let done = DispatchSemaphore(value: 0)
        let outcome = Mutex<Result<R, any Error>?>(nil)
        // A task of its own: the caller is C code on a thread without one.
        Task {
            let result: Result<R, any Error>
            do { result = .success(try await work()) } catch { result = .failure(error) }
            outcome.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        guard let result = outcome.withLock({ $0 }) else { throw PluginError(.internal, "the store gave no answer") }
        do {
            return try result.get()
        } catch let error as StorageError {
            throw PluginError(error.code == .versionMismatch ? .state : .io, error.message, source: .host)
        }
    }
}
