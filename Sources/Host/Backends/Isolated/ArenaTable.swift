// SPDX-License-Identifier: Apache-2.0
internal import CRunnerProtocol
internal import Glibc
internal import Synchronization

/// The shared memory of one runner as the server sees it: read-only, of a size that cannot change.
///
/// The plugin can write to it at any time. Only plain numbers are read in place; everything else is copied first.
final class ArenaTable: Sendable {
    /// What is mapped, also of arenas that the runner has dropped and a reader still needs.
    private final class Ledger: Sendable {
        private let limit: UInt64
        private let state = Mutex<(bytes: UInt64, mappings: Int)>((0, 0))

        init(limit: UInt64) { self.limit = limit }

        var byteCount: UInt64 { state.withLock { $0.bytes } }

        func take(_ size: UInt64) -> Bool {
            state.withLock { state in
                guard size <= limit, state.bytes <= limit - size, state.mappings < ArenaTable.maxMappings else {
                    return false
                }
                state.bytes += size
                state.mappings += 1
                return true
            }
        }

        func give(_ size: UInt64) {
            state.withLock { state in
                state.bytes -= size
                state.mappings -= 1
            }
        }
    }

    /// Mappings are few: the kernel gives a process 65,530, the server's own among them.
    static let maxMappings = 1_024

    /// The bytes of all arenas together.
    let limit: UInt64
    private let ledger: Ledger
    private let arenas = Mutex<[UInt32: Arena]>([:])

    init(limit: UInt64) {
        self.limit = limit
        ledger = Ledger(limit: limit)
    }

    /// All arenas together.
    var byteCount: UInt64 { ledger.byteCount }

    /// Maps an arena that the runner made.
    ///
    /// - Returns: false when it is too large, not sealed, or its number is taken.
    func add(_ number: UInt32, size: UInt64, descriptor: Int32) -> Bool {
        arenas.withLock { arenas in
            guard number > 0, number <= RUNNER_ARENAS_MAX, arenas[number] == nil, ledger.take(size) else {
                return false
            }
            guard let start = runner_map_arena(descriptor, size, 0) else {
                ledger.give(size)
                return false
            }
            arenas[number] = Arena(start: start, size: Int(size)) { [ledger] in ledger.give(size) }
            return true
        }
    }

    /// Forgets an arena; what still refers to it keeps it mapped, and counted.
    func drop(_ number: UInt32) {
        // Unmapped outside of the lock.
        _ = arenas.withLock { $0.removeValue(forKey: number) }
    }

    /// A part of an arena; nil when it does not lie inside.
    func part(_ place: runner_buffer) -> (start: UnsafeRawPointer, arena: Arena)? {
        guard let arena = arenas.withLock({ $0[place.arena] }), place.offset <= UInt64(arena.size),
            place.length <= UInt64(arena.size) - place.offset
        else { return nil }
        return (arena.start + Int(place.offset), arena)
    }

    /// Safety: a mapping that is never written here and ends with the object.
    final class Arena: @unchecked Sendable {
        let start: UnsafeRawPointer
        let size: Int
        private let ended: @Sendable () -> Void

        init(start: UnsafeMutableRawPointer, size: Int, ended: @escaping @Sendable () -> Void) {
            self.start = UnsafeRawPointer(start)
            self.size = size
            self.ended = ended
        }

        deinit {
            munmap(UnsafeMutableRawPointer(mutating: start), size)
            ended()
        }
    }
}
