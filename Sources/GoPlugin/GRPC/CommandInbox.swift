// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import Synchronization

/// Hands commands from any thread to an event loop; many at once wake it once.
final class CommandInbox<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        var isScheduled = false
    }

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let perform: @Sendable ([Command]) -> Void

    /// - Parameter perform: is called on the event loop.
    init(on eventLoop: any EventLoop, perform: @escaping @Sendable ([Command]) -> Void) {
        self.eventLoop = eventLoop
        self.perform = perform
    }

    func submit(_ command: Command) {
        let schedules = state.withLock { state in
            state.commands.append(command)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if schedules { eventLoop.execute { [self] in drain() } }
    }

    private func drain() {
        let commands = state.withLock { state in
            state.isScheduled = false
            let commands = state.commands
            state.commands = []
            return commands
        }
        perform(commands)
    }
}
