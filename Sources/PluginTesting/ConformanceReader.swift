// SPDX-License-Identifier: Apache-2.0
internal import PluginABI
internal import PluginHost

/// Makes the calls of one case at one place and reads them as the case says.
struct ConformanceReader: Sendable {
    private let one: ConformanceCase
    private let site: ConformanceSite

    init(_ one: ConformanceCase, _ site: ConformanceSite) {
        self.one = one
        self.site = site
    }

    /// The results of all calls of the case.
    ///
    /// - Parameter whole: what the call answers when nobody disturbs it.
    func transcripts(whole: CallTranscript) async -> [CallTranscript] {
        switch one.reading {
        case .toTheEnd, .withoutTime, .withLittleTime: return [await transcript()]
        case .slowly: return [await slowly()]
        case .together: return await together(16) { _ in await transcript() }
        case .whileSettingsChange:
            return await together(24) { number in await transcript(version: 1 + number % 2) }
        case .whileForgotten: return [await whileForgotten()]
        case .cancelledAtEachEvent:
            var transcripts: [CallTranscript] = []
            for count in Self.moments(whole.count) { transcripts.append(await transcript(breaksOff: count)) }
            return transcripts
        }
    }

    /// Before the call, after its first and last events and in the middle.
    private static func moments(_ events: Int) -> [Int] {
        events <= 8 ? Array(0...max(1, events)) : [0, 1, 2, 3, events / 2, events - 2, events - 1, events]
    }

    /// One call, in a task of its own that may be cancelled.
    func transcript(
        version: Int = 1, breaksOff: Int? = nil, event: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async -> CallTranscript {
        await withTaskGroup(of: CallTranscript?.self) { group in
            group.addTask {
                var transcript = await site.transcript(of: one, version: version, breaksOff: breaksOff, event: event)
                if one.call.isStream, one.reading != .whileForgotten { transcript.dropCancellation() }
                return transcript
            }
            group.addTask {
                // A stream has no deadline, and may never send what is waited for.
                try? await ContinuousClock().sleep(for: .seconds(90))
                return nil
            }
            var result: CallTranscript?
            while result == nil, let next = await group.next() {
                result = next
                group.cancelAll()
            }
            return result ?? Self.nothing
        }
    }

    /// What a call gave that gave nothing in its time.
    private static var nothing: CallTranscript {
        var transcript = CallTranscript()
        transcript.finish(PluginError(.timeout, "the call gave no result"))
        return transcript
    }

    private func together(
        _ count: Int, _ call: @escaping @Sendable (Int) async -> CallTranscript
    ) async -> [CallTranscript] {
        await withTaskGroup(of: CallTranscript.self) { group in
            for number in 0..<count { group.addTask { await call(number) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// The plugin runs into its window: the reader goes on only when another call has been answered.
    ///
    /// That call is one to another data source, and not waited for long: a plugin that takes one call at a time answers it
    /// when this one has ended.
    private func slowly() async -> CallTranscript {
        await transcript { count in
            if count == 1 {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await site.askBeside() }
                    group.addTask { try? await ContinuousClock().sleep(for: .milliseconds(200)) }
                    await group.next()
                    group.cancelAll()
                }
            }
            await Task.yield()
        }
    }

    private func whileForgotten() async -> CallTranscript {
        var held = one
        held.limits.window = 4_096
        // A stream is read until it ends by itself.
        if case .run(var stream) = one.call {
            stream.events = .max
            held.call = .run(stream)
        }
        return await ConformanceReader(held, site).transcript { count in if count == 1 { site.forget() } }
    }

    /// The platform is shut down when the first event has come, and the reader reads on.
    func transcriptWhileShuttingDown() async -> CallTranscript {
        await withTaskGroup(of: CallTranscript?.self) { group in
            let (first, begins) = AsyncStream.makeStream(of: Void.self)
            group.addTask {
                let transcript = await transcript { count in if count == 1 { begins.finish() } }
                begins.finish()
                return transcript
            }
            group.addTask {
                for await _ in first {}
                await site.shutDown()
                return nil
            }
            var result: CallTranscript?
            for await next in group { result = next ?? result }
            return result ?? Self.nothing
        }
    }
}

extension CallTranscript {
    /// A stream ends because its reader goes, which says nothing about the plugin.
    fileprivate mutating func dropCancellation() {
        if error?.code == .cancelled { dropError() }
    }
}
