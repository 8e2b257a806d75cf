// SPDX-License-Identifier: Apache-2.0

/// Reads bytes as a math expression and calculates it over a series and a number; cuts them as SQL, too.
///
/// What is accepted gives one result at most for the one pair of items, and the texts of its operators are found.
@Sendable func fuzzMathText(_ bytes: UnsafeBufferPointer<UInt8>) {
    let text = String(decoding: bytes, as: UTF8.self)
    _ = SQLTableNames.find(in: text)
    _ = SQLDialect.translated(text)
    guard let program = try? MathProgram(text) else { return }
    let times = Column((0..<4).map { Timestamp(milliseconds: $0) })
    let points = ExpressionValue.Points(times: times, values: Column([1, nil, .nan, -0.5] as [Double?]))
    var variables: [String: [ExpressionValue]] = [:]
    for (index, name) in program.variables.enumerated() {
        variables[name] = [
            index % 2 == 0
                ? .series(points, labels: ["a": "b"], name: name) : .number(2, labels: ["c": "d"], name: name)
        ]
    }
    guard let results = try? MathEvaluator(refID: "R").evaluate(program, variables) else { return }
    guard results.count == 1 else { fatalError("one item on each side gave \(results.count) results") }
    for place in program.instructions.indices { _ = program.texts(ofBinaryAt: place) }
}
