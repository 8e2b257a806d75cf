// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// Says of every value whether it passes a threshold, with another threshold for what passed it the last time.
struct ThresholdCommand: Sendable {
    let input: String
    let evaluator: ThresholdEvaluator
    /// What ends the firing of the label sets in ``loaded``; nil: no hysteresis.
    let unload: ThresholdEvaluator?
    /// The fingerprints of the label sets that fired the last time.
    let loaded: Set<UInt64>

    /// - Parameter text: The text of the model, in which fingerprints have all of their 64 bits.
    init(_ model: JSONValue, _ text: JSONText) throws(ExpressionError) {
        input = model["expression"]?.string ?? ""
        guard !input.isEmpty else {
            throw .parse("no variable specified to reference for threshold; set 'expression' to a refId")
        }
        guard let conditions = model["conditions"]?.array, conditions.count == 1 else {
            throw .parse("threshold expression requires exactly one condition")
        }
        evaluator = try Self.evaluator(conditions[0]["evaluator"], "condition")
        guard let unloadModel = conditions[0]["unloadEvaluator"], !unloadModel.isNull else {
            unload = nil
            loaded = []
            return
        }
        unload = try Self.evaluator(unloadModel, "unloadCondition")
        loaded = try Self.fingerprints(inConditionOf: Array(text.text.utf8))
    }

    private static func evaluator(
        _ model: JSONValue?, _ subject: String
    ) throws(ExpressionError) -> ThresholdEvaluator {
        do {
            return try ThresholdEvaluator(model)
        } catch {
            throw .parse("invalid \(subject): \(error.message)")
        }
    }

    private static func fingerprints(inConditionOf text: [UInt8]) throws(ExpressionError) -> Set<UInt64> {
        func failure(_ fact: String) -> ExpressionError {
            .parse("failed to parse loaded dimensions: invalid format of loaded dimensions frame: \(fact)")
        }
        let frame: DataFrame
        do {
            let condition = Array(text[try JSONSlices.elements(ofArrayAt: ["conditions"], in: text)[0]])
            guard let range = try JSONSlices.value(at: ["loadedDimensions"], in: condition) else { return [] }
            if condition[range].elementsEqual("null".utf8) { return [] }
            frame = try DataFrame(json: Array(condition[range]))
        } catch let error as FrameError {
            throw failure(error.message)
        } catch {
            throw failure("\(error)")
        }
        guard frame.meta?.type == "fingerprints", frame.meta?.typeVersion == FrameMeta.TypeVersion(1, 0) else {
            throw failure("its type has to be fingerprints 1.0, not \(frame.meta?.type ?? "none")")
        }
        guard frame.fields.count == 1, frame.fields[0].type == .uint64, frame.fields[0].column.nullCount == 0 else {
            throw failure("it has to have one field of the type uint64 without nulls")
        }
        return frame.fields[0].column.withValues(as: UInt64.self) { Set($0) }
    }

    func run(_ values: [ExpressionValue], refID: String) -> [ExpressionValue] {
        guard let unload else { return values.map { evaluator.apply(to: $0, name: refID) } }
        var others: [ExpressionValue] = []
        var firing: [ExpressionValue] = []
        for value in values {
            if loaded.contains(value.labels.fingerprint) {
                firing.append(unload.apply(to: value, name: refID, isInverted: true))
            } else {
                others.append(evaluator.apply(to: value, name: refID))
            }
        }
        return others + firing
    }
}

extension Labels {
    /// The hash by which the SDK for Go knows a label set: 64-bit FNV-1 over names and values.
    var fingerprint: UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ byte: UInt8) {
            hash = hash &* 0x100_0000_01b3
            hash ^= UInt64(byte)
        }
        for (name, value) in sorted(by: { $0.key < $1.key }) {
            name.utf8.forEach(add)
            add(0xff)
            value.utf8.forEach(add)
            add(0xff)
        }
        return hash
    }
}
