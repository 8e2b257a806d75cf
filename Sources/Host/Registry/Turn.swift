// SPDX-License-Identifier: Apache-2.0

/// Lets one task at a time run a part that awaits, in the order in which they came.
package actor Turn {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init() {}

    /// Runs the body when all before have ended.
    package func take<R: Sendable>(_ body: @Sendable () async -> R) async -> R {
        await enter()
        let result = await body()
        leave()
        return result
    }

    /// As ``take(_:)``, for a body that throws.
    package func takeThrowing<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async {
        guard isTaken else {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
