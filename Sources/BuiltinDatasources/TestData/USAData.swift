// SPDX-License-Identifier: Apache-2.0
import Glibc
import PluginABI

/// Waves for each state of the USA, in the shapes that panels have to cope with.
enum USAData {
    static let states = [
        "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY",
        "LA",
        "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK",
        "OR",
        "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY",
    ]

    /// The most names and states of one query.
    private static let listLimit = 200

    private struct Request {
        var names: [String]
        var states: [String]
        var period: Double

        init(_ query: ScenarioQuery) throws {
            let model = query.model["usa"]
            func list(_ key: String) -> [String] {
                Array((model?[key]?.array ?? []).compactMap(\.string).prefix(listLimit))
            }
            let (asked, wanted) = (list("fields"), list("states"))
            names = asked.isEmpty ? ["foo", "bar", "baz"] : asked
            states = wanted.isEmpty ? USAData.states : wanted
            let text = model?["period"]?.string ?? ""
            guard let period = ScenarioText.duration(text.isEmpty ? "30m" : text), period > .zero else {
                throw ScenarioFailure("time: invalid duration \"\(text)\"; write one such as 30m")
            }
            self.period = Double(period.components.seconds) + Double(period.components.attoseconds) / 1e18
        }

        /// The value of a name in a state; the kind of wave goes by the place of the name.
        func value(_ name: Int, state: Int, at time: Timestamp) -> Double {
            let turns = Double(time.nanoseconds) / 1e9 / period + Double(state) / Double(max(states.count, 1))
            let angle = (turns - turns.rounded(.down)) * 2 * .pi
            return switch name % 3 {
            case 0: sin(angle)
            case 1: cos(angle)
            default: tan(angle)
            }
        }
    }

    /// The frames of the mode that the query asks for, each made when it is taken: time series can be thousands.
    static func frames(_ query: ScenarioQuery) throws -> AnySequence<DataFrame> {
        let request = try Request(query)
        switch query.model["usa"]?["mode"]?.string ?? "" {
        case "values-as-fields": return AnySequence(valuesAsFields(request, at: query.to, isLabeled: false))
        case "values-as-labeled-fields": return AnySequence(valuesAsFields(request, at: query.to, isLabeled: true))
        case "timeseries": return timeSeries(request, times: query.rowTimes)
        case "timeseries-wide": return AnySequence([wideTimeSeries(request, times: query.rowTimes)])
        default: return AnySequence([valuesAsRows(request, at: query.to)])
        }
    }

    private static func valuesAsRows(_ request: Request, at time: Timestamp) -> DataFrame {
        let columns = request.names.enumerated().map { index, name in
            Field(name, request.states.indices.map { request.value(index, state: $0, at: time) })
        }
        return DataFrame(fields: [Field("state", request.states)] + columns)
    }

    private static func valuesAsFields(_ request: Request, at time: Timestamp, isLabeled: Bool) -> [DataFrame] {
        request.names.enumerated().map { index, name in
            let fields = request.states.enumerated().map { place, state in
                Field(
                    isLabeled ? "" : state, [request.value(index, state: place, at: time)],
                    labels: isLabeled ? ["state": state] : nil)
            }
            return DataFrame(name: name, fields: fields)
        }
    }

    private static func timeSeries(_ request: Request, times: [Timestamp]) -> AnySequence<DataFrame> {
        let frames = request.names.indices.lazy.flatMap { index in
            request.states.indices.lazy.map { place in
                let values = times.map { request.value(index, state: place, at: $0) }
                let labels = ["state": request.states[place]]
                return DataFrame(
                    name: request.names[index],
                    fields: [Field("Time", times), Field("Value", values, labels: labels)])
            }
        }
        return AnySequence(frames)
    }

    private static func wideTimeSeries(_ request: Request, times: [Timestamp]) -> DataFrame {
        let fields = request.names.enumerated().flatMap { index, name in
            request.states.enumerated().map { place, state in
                let values = times.map { request.value(index, state: place, at: $0) }
                return Field(name, values, labels: ["state": state])
            }
        }
        return DataFrame(fields: [Field("Time", times)] + fields)
    }
}
