// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

@testable import Storage

/// A folder for one test, removed at the end.
struct TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "storage-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// A clock that tests move.
final class ManualClock: Sendable {
    private let time = Mutex(Date(timeIntervalSince1970: 1_700_000_000))

    func advance(seconds: Double) {
        time.withLock { $0.addTimeInterval(seconds) }
    }

    var clock: StoreClock {
        StoreClock { [self] in time.withLock { $0 } }
    }
}

/// Runs a body with stores over a new database, and closes and removes it afterwards.
func withStores(
    secretKey: String = "key", _ body: (Stores, ManualClock) async throws -> Void
) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let clock = ManualClock()
    let stores = try await Stores.open(
        path: folder.path + "/g.db", secretKey: Secret(secretKey), clock: clock.clock)
    do {
        try await body(stores, clock)
    } catch {
        await stores.close()
        throw error
    }
    await stores.close()
}

/// The code of the ``StorageError`` that a body throws; nil when it throws none.
func storageErrorCode(_ body: () async throws -> Void) async throws -> StorageError.Code? {
    do {
        try await body()
        return nil
    } catch let error as StorageError {
        return error.code
    }
}
