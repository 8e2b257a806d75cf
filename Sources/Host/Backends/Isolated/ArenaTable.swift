// SPDX-License-Identifier: Apache-2.0
internal import CRunnerProtocol
internal import Glibc
internal import Synchronization

/// The shared memory of one runner as the server sees it: read-only, of a size that cannot change.
///
/// The plugin can write to it at any time. Only plain numbers are read in place; everything else is copied first.
final class ArenaTable: Sendable {
    private struct State {
        var arenas: [UInt32: Arena] = [:]
        var bytes: UInt64 = 0
    }

    private let limit: UInt64
    private let state = Mutex(State())

    /// - Parameter limit: the bytes of all arenas together.
    init(limit: UInt64) { self.limit = limit }

    /// All arenas together.
    var byteCount: UInt64 { state.withLock { $0.bytes } }

    /// Maps an arena that the runner made.
    ///
    /// - Returns: false when it is too large, not sealed, or its number is taken.
    func add(_ number: UInt32, size: UInt64, descriptor: Int32) -> Bool {
        state.withLock { state in
            guard number > 0, number <= RUNNER_ARENAS_MAX, state.arenas[number] == nil, size <= limit,
                state.bytes <= limit - size, let start = runner_map_arena(descriptor, size, 0)
            else { return false }
            state.arenas[number] = Arena(start: start, size: Int(size))
            state.bytes += size
            return true
        }
    }

    /// Forgets an arena; what still refers to it keeps it mapped.
    func drop(_ number: UInt32) {
        state.withLock { state in
            guard let arena = state.arenas.removeValue(forKey: number) else { return }
            state.bytes -= UInt64(arena.size)
        }
    }

    /// A part of an arena; nil when it does not lie inside.
    func part(_ place: runner_buffer) -> (start: UnsafeRawPointer, arena: Arena)? {
        guard let arena = state.withLock({ $0.arenas[place.arena] }), place.offset <= UInt64(arena.size),
            place.length <= UInt64(arena.size) - place.offset
        else { return nil }
        return (arena.start + Int(place.offset), arena)
    }

    /// Safety: a mapping that is never written here and ends with the object.
    final class Arena: @unchecked Sendable {
        let start: UnsafeRawPointer
        let size: Int

        init(start: UnsafeMutableRawPointer, size: Int) {
            self.start = UnsafeRawPointer(start)
            self.size = size
        }

        deinit { munmap(UnsafeMutableRawPointer(mutating: start), size) }
    }
}
