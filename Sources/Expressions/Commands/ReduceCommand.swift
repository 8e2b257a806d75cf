// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Turns every series into a number.
struct ReduceCommand: Sendable {
    let input: String
    let reducer: Reducer
    let mode: ReduceMode

    init(_ model: JSONValue) throws(ExpressionError) {
        input = CommandInput.refID(model["expression"])
        guard !input.isEmpty else {
            throw .parse(
                "no expression ID is specified to reduce. Must be a reference to an existing query or expression")
        }
        guard let name = model["reducer"]?.string, !name.isEmpty else { throw .parse("no reducer specified") }
        guard let reducer = Reducer(rawValue: name.lowercased()) else {
            throw .parse("reduction \(name.lowercased()) not implemented")
        }
        self.reducer = reducer
        mode = try Self.mode(model["settings"])
    }

    private static func mode(_ settings: JSONValue?) throws(ExpressionError) -> ReduceMode {
        let name = settings?["mode"]?.string ?? ""
        switch name {
        case "", "strict": return .strict
        case "dropNN": return .drop
        case "replaceNN":
            guard let value = settings?["replaceWithValue"], !value.isNull else {
                throw .parse("setting replaceWithValue must be specified when mode is 'replaceNN'")
            }
            guard let number = value.double else {
                throw .parse("setting replaceWithValue must be a number, got \(value.encoded().prefix(60))")
            }
            return .replace(number)
        default:
            throw .parse("reducer mode '\(name)' is not supported. Supported only: [dropNN,replaceNN]")
        }
    }

    func run(_ values: [ExpressionValue], refID: String) throws(ExpressionError) -> [ExpressionValue] {
        var results: [ExpressionValue] = []
        for value in values {
            switch value.content {
            case .series(let points):
                let number = mode.finished(reducer.reduce(mode.prepared(points.values)))
                results.append(.number(number, labels: value.labels, name: refID))
            case .number(let number):
                guard let passed = mode.mapped(number) else { continue }
                results.append(.number(passed, labels: value.labels, name: refID))
            case .frame: results.append(value)
            case .scalar:
                throw ExpressionError(.execution, "can only reduce type series, got type \(value.typeName)")
            }
        }
        if mode == .strict, case .number? = values.first?.content {
            results[0].notices.append(
                Notice(
                    severity: .warning,
                    text: "Reduce operation is not needed. Input query or expression \(input) is already reduced data."
                ))
        }
        return results
    }
}

/// How commands name what they take.
enum CommandInput {
    /// A refId with or without `$`; empty when there is none.
    static func refID(_ value: JSONValue?) -> String {
        let text = (value?.string ?? "").drop { $0.isWhitespace }
        return String(text.hasPrefix("$") ? text.dropFirst() : text)
    }
}

extension ExpressionError {
    static func parse(_ message: String) -> ExpressionError { ExpressionError(.parse, message) }
}
