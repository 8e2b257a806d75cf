// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What one expression does, read and checked.
enum ExpressionCommand: Sendable {
    case math(MathProgram)
    case reduce(ReduceCommand)
    case resample(ResampleCommand)
    case threshold(ThresholdCommand)
    case classic(ClassicCommand)
    case sql(SQLCommand)

    private enum Kind: String {
        case math, reduce, resample, threshold, sql
        case classic = "classic_conditions"
    }

    /// Reads the model of a query.
    ///
    /// - Throws: ``ExpressionError`` `.parse`, `.limit`, `.disabled`, with the refId in its text.
    init(_ text: JSONText, refID: String, limits: ExpressionLimits) throws(ExpressionError) {
        let model: JSONValue
        do {
            model = try JSONValue(parsing: text.text)
        } catch {
            throw .parse("failed to parse expression '\(refID)': \(error.message)")
        }
        guard let name = model["type"]?.string, !name.isEmpty else {
            throw .parse("invalid command type in expression '\(refID)': no expression command type in query")
        }
        guard let kind = Kind(rawValue: name) else {
            throw .parse(
                "invalid command type in expression '\(refID)': '\(name.prefix(40))' is not a recognized expression "
                    + "type")
        }
        do {
            self = try Self.command(kind, model, text, limits)
        } catch {
            throw ExpressionError(error.code, "failed to parse expression '\(refID)': \(error.message)")
        }
    }

    private static func command(
        _ kind: Kind, _ model: JSONValue, _ text: JSONText, _ limits: ExpressionLimits
    ) throws(ExpressionError) -> ExpressionCommand {
        switch kind {
        case .math: .math(try MathProgram(try formula(model), limits: limits))
        case .reduce: .reduce(try ReduceCommand(model))
        case .resample: .resample(try ResampleCommand(model))
        case .threshold: .threshold(try ThresholdCommand(model, text))
        case .classic: .classic(try ClassicCommand(model))
        case .sql: .sql(try SQLCommand(model, limits: limits))
        }
    }

    private static func formula(_ model: JSONValue) throws(ExpressionError) -> String {
        guard let text = model["expression"]?.string, !text.allSatisfy(\.isWhitespace) else {
            throw .parse("command is missing an expression")
        }
        return text
    }

    /// The refIds that the command takes, each once.
    var inputs: [String] {
        switch self {
        case .math(let program): program.variables
        case .reduce(let command): [command.input]
        case .resample(let command): [command.input]
        case .threshold(let command): [command.input]
        case .classic(let command): command.inputs
        case .sql(let command): command.tables
        }
    }
}
