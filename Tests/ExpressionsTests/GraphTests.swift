// SPDX-License-Identifier: Apache-2.0
import PluginABI
import Testing

@testable import Expressions

/// What queries take from each other, and what becomes of failures.
struct GraphTests {
    private static func math(_ text: String) -> JSONValue { ["type": "math", "expression": .string(text)] }

    @Test func expressionsRunInTheOrderOfTheirNeeds() throws {
        var request = TestRequest()
        request.expression("D", Self.math("$C + $B"))
        request.expression("C", Self.math("$B * 2"))
        request.expression("B", Self.math("$A + 1"))
        request.source("A", [numberFrame(1)])

        let outcomes = try request.run()

        #expect(outcomes.mapValues { $0.frames.first?.values } == ["A": [1], "B": [2], "C": [4], "D": [6]])
    }

    @Test func sourcesComeFirstThenTheOrderOfTheRequest() throws {
        let command = { (text: String) throws -> ExpressionCommand in .math(try MathProgram(text)) }
        let graph = try ExpressionGraph([
            .init(refID: "X", command: command("$Z + 1")), .init(refID: "Y", command: command("1")),
            .init(refID: "A", command: nil), .init(refID: "Z", command: command("$A")),
            .init(refID: "B", command: nil),
        ])

        #expect(graph.order.map { graph.nodes[$0].refID } == ["A", "B", "Y", "Z", "X"])
    }

    static let classic: JSONValue = [
        "type": "classic_conditions",
        "conditions": [
            [
                "evaluator": ["type": "no_value"], "operator": ["type": "and"], "query": ["params": ["A"]],
                "reducer": ["type": "last"],
            ]
        ],
    ]
    static let refused: [([(String, JSONValue)], String)] = [
        ([("B", math("$C"))], "unable to find dependent node 'C'"),
        ([("B", math("$B + 1"))], "expression 'B' cannot reference itself. Must be query or another expression"),
        ([("B", math("$C")), ("C", math("$B"))], "the expressions take each other's results in a circle: B -> C -> B"),
        (
            [("B", math("$C")), ("C", math("$D")), ("D", math("$C"))],
            "the expressions take each other's results in a circle: C -> D -> C"
        ),
        (
            [("B", classic), ("C", math("$B"))],
            "classic conditions may not be the input for other expressions, but B is the input for C"
        ),
        (
            [("A2", math("1")), ("B", ["type": "sql", "expression": "SELECT * FROM A2"])],
            "only data source queries may be inputs to a sql expression, A2 is the input for B"
        ),
        (
            [("S", ["type": "sql", "expression": "SELECT * FROM A"]), ("B", math("$S"))],
            "sql expressions can not be the input for other expressions, but S in the input for B"
        ),
        (
            [("M", math("1")), ("B", ["type": "classic_conditions", "conditions": [condition(on: "M")]])],
            "only data source queries may be inputs to a classic condition, M is a Expression"
        ),
    ]

    static func condition(on refID: String) -> JSONValue {
        [
            "evaluator": ["type": "no_value"], "operator": ["type": "and"], "query": ["params": [.string(refID)]],
            "reducer": ["type": "last"],
        ]
    }

    @Test(arguments: 0..<refused.count)
    func wrongGraphRefusesTheRequest(index: Int) {
        let (expressions, message) = Self.refused[index]
        var request = TestRequest()
        request.source("A", [])
        for (refID, model) in expressions { request.expression(refID, model) }

        #expect(throws: ExpressionError(.graph, message)) { try request.run() }
    }

    @Test func aCircleOfAThousandIsNamedInPart() {
        var request = TestRequest()
        for index in 0..<1000 { request.expression("N\(index)", Self.math("$N\((index + 1) % 1000)")) }

        let error = #expect(throws: ExpressionError.self) { try request.run() }

        #expect(
            error?.message == """
                the expressions take each other's results in a circle: N0 -> N1 -> N2 -> N3 -> N4 -> N5 -> N6 -> N7 -> \
                N8 -> N9 -> … (1000 in all)
                """)
    }

    @Test func aChainOfAThousandRuns() throws {
        var request = TestRequest()
        for index in 0..<999 { request.expression("N\(index)", Self.math("$N\(index + 1) + 1")) }
        request.expression("N999", Self.math("1"))

        #expect(try request.run()["N0"]?.frames.first?.values == [1000])
    }

    @Test func failuresReachThoseThatNeedThem() throws {
        var request = TestRequest()
        request.failing("A", "no route")
        request.source("B", [numberFrame(2)])
        request.expression("C", Self.math("$B + $A"))
        request.expression("D", ["type": "reduce", "expression": "C", "reducer": "sum"])
        request.expression("E", Self.math("$B * 2"))

        let outcomes = try request.run()

        #expect(outcomes["A"]?.error?.message == "[sse.dataQueryError] failed to execute query [A]: no route")
        #expect(outcomes["A"]?.error?.source == .downstream && outcomes["C"]?.error?.source == nil)
        #expect(
            outcomes["C"]?.error?.message == """
                [sse.dependencyError] did not execute expression [C] due to a failure of the dependent expression or \
                query [A]
                """)
        #expect(outcomes["D"]?.error?.message.contains("[D] due to a failure") == true)
        #expect(outcomes["D"]?.error?.message.contains("query [C]") == true)
        #expect(outcomes["E"]?.frames.first?.values == [4])
        #expect(outcomes.values.compactMap(\.error).allSatisfy { $0.httpStatus == 400 })
    }

    @Test func hiddenResultsAreLeftOut() throws {
        var request = TestRequest()
        request.source("A", [numberFrame(1)], isHidden: true)
        request.expression("B", Self.math("$A"), isHidden: true)
        request.expression("C", Self.math("$B + 1"))

        #expect(try request.run().keys.sorted() == ["C"])
    }

    @Test func aSourceOfTablesAndSeriesServesBoth() throws {
        var request = TestRequest()
        request.source("A", [seriesFrame([1, 2], labels: ["h": "a"])])
        request.expression("S", ["type": "sql", "expression": "SELECT sum(__value__) AS s FROM A"])
        request.expression("M", Self.math("$A + 1"))

        let outcomes = try request.run()

        #expect(outcomes["S"]?.frames.first?.rows == [["3"]])
        #expect(outcomes["M"]?.frames.first?.values == [2, 3])
        #expect(outcomes["A"]?.frames.first?.values == [1, 2])
    }

    @Test func aSourceOfTablesAloneComesBackAsTheTable() throws {
        var request = TestRequest()
        request.source("A", [DataFrame(fields: [Field("name", ["x"]), Field("text", ["y"])])])
        request.expression("S", ["type": "sql", "expression": "SELECT text FROM A"])

        let outcomes = try request.run()

        #expect(outcomes["A"]?.frames.first?.rows == [["x", "y"]])
        #expect(outcomes["S"]?.frames.first?.rows == [["y"]])
    }

    @Test func aStoppedRequestStopsEveryQuery() throws {
        var request = TestRequest()
        request.source("A", [numberFrame(1)])
        request.expression("B", Self.math("$A"))

        let outcomes = try request.run(checkpoint: ExpressionCheckpoint { ExpressionError(.timeout, "late") })

        #expect(outcomes.values.allSatisfy { $0.error?.code == .timeout && $0.error?.httpStatus == 504 })
    }

    @Test func switchedOffExpressionsRefuseTheRequest() {
        var request = TestRequest()
        request.limits.isEnabled = false

        #expect(throws: ExpressionError(.disabled, "server side expressions are disabled")) { try request.run() }
    }
}
