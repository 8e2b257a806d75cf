// SPDX-License-Identifier: Apache-2.0

/// The queries of a request and what they take from each other.
struct ExpressionGraph: Sendable {
    /// One query.
    struct Node: Sendable {
        var refID: String
        /// nil for a query of a data source.
        var command: ExpressionCommand?

        /// Whether it runs a statement over tables.
        var isSQL: Bool {
            if case .sql? = command { true } else { false }
        }
    }

    let nodes: [Node]
    /// For each node the places of those that it takes.
    private(set) var needs: [[Int]] = []
    /// The places in an order in which all that a node takes comes before it: queries of data sources, then
    /// expressions, each as early as the request's order allows.
    private(set) var order: [Int] = []

    /// - Throws: ``ExpressionError`` `.graph`.
    init(_ nodes: [Node]) throws(ExpressionError) {
        self.nodes = nodes
        let places = Dictionary(nodes.enumerated().map { ($1.refID, $0) }) { first, _ in first }
        // SQL does not tell upper from lower case.
        let tables = Dictionary(nodes.enumerated().map { ($1.refID.lowercased(), $0) }) { first, _ in first }
        for (place, node) in nodes.enumerated() {
            var needed: [Int] = []
            for name in node.command?.inputs ?? [] {
                guard let input = places[name] ?? (node.isSQL ? tables[name.lowercased()] : nil) else {
                    throw ExpressionError(.graph, "unable to find dependent node '\(name)'")
                }
                try Self.check(node, takes: nodes[input], isItself: input == place)
                needed.append(input)
            }
            needs.append(needed)
        }
        order = try sorted()
    }

    private static func check(_ node: Node, takes input: Node, isItself: Bool) throws(ExpressionError) {
        guard !isItself else {
            throw ExpressionError(
                .graph,
                "expression '\(node.refID)' cannot reference itself. Must be query or another expression")
        }
        switch input.command {
        case .classic:
            throw ExpressionError(
                .graph,
                "classic conditions may not be the input for other expressions, but \(input.refID) is the input for "
                    + node.refID)
        case .sql:
            throw ExpressionError(
                .graph,
                "sql expressions can not be the input for other expressions, but \(input.refID) in the input for "
                    + node.refID)
        default: break
        }
        guard input.command != nil else { return }
        switch node.command {
        case .classic:
            throw ExpressionError(
                .graph,
                "only data source queries may be inputs to a classic condition, \(input.refID) is a Expression")
        case .sql:
            throw ExpressionError(
                .graph,
                "only data source queries may be inputs to a sql expression, \(input.refID) is the input for "
                    + node.refID)
        default: break
        }
    }

    private func sorted() throws(ExpressionError) -> [Int] {
        var order = nodes.indices.filter { nodes[$0].command == nil }
        var isDone = nodes.map { $0.command == nil }
        var rest = nodes.indices.filter { nodes[$0].command != nil }
        while !rest.isEmpty {
            guard let next = rest.firstIndex(where: { needs[$0].allSatisfy { isDone[$0] } }) else {
                throw cycle(among: rest)
            }
            isDone[rest[next]] = true
            order.append(rest.remove(at: next))
        }
        return order
    }

    /// Walks from one of the nodes to what it waits for until a node comes again.
    private func cycle(among rest: [Int]) -> ExpressionError {
        let waiting = Set(rest)
        var path: [Int] = []
        var seen: [Int: Int] = [:]
        var place = rest[0]
        while seen[place] == nil {
            seen[place] = path.count
            path.append(place)
            guard let next = needs[place].first(where: waiting.contains) else { break }
            place = next
        }
        let circle = path[(seen[place] ?? 0)...] + [place]
        var names = circle.prefix(10).map { nodes[$0].refID }
        if circle.count > 10 { names.append("… (\(circle.count - 1) in all)") }
        return ExpressionError(
            .graph, "the expressions take each other's results in a circle: \(names.joined(separator: " -> "))")
    }
}
