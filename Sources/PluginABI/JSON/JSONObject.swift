// SPDX-License-Identifier: Apache-2.0

/// The members of a JSON object in their order; each key occurs once.
///
/// Keys are equal if their bytes are, as in Go. Iteration gives `(key: String, value: JSONValue)`.
public struct JSONObject: Sendable {
    /// One key with its value.
    public typealias Member = (key: String, value: JSONValue)

    /// From this many members on, an index finds the keys.
    private static let indexedFrom = 12

    private var members: [Member] = []
    private var places: [ExactKey: Int]?

    /// Makes an object without members.
    public init() {}

    /// Makes an object; of equal keys the last wins, at the place of the first.
    public init(_ members: some Sequence<Member>) {
        for member in members { self[member.key] = member.value }
    }

    /// The keys in order.
    public var keys: [String] { members.map(\.key) }

    /// The value of a key; setting nil removes the member, a new key goes to the end.
    ///
    /// - Complexity: O(1) to read and to set, O(count) to remove.
    public subscript(key: String) -> JSONValue? {
        get { place(of: key).map { members[$0].value } }
        set {
            switch (place(of: key), newValue) {
            case (let place?, let value?): members[place].value = value
            case (let place?, nil): remove(at: place)
            case (nil, let value?): add(key, value)
            case (nil, nil): break
            }
        }
    }

    /// Makes room for that many members.
    public mutating func reserveCapacity(_ count: Int) {
        members.reserveCapacity(count)
    }

    private func place(of key: String) -> Int? {
        if let places { return places[ExactKey(text: key)] }
        let wanted = ExactKey(text: key)
        // Not firstIndex, which would copy each member.
        for place in members.indices where ExactKey(text: members[place].key) == wanted { return place }
        return nil
    }

    private mutating func add(_ key: String, _ value: JSONValue) {
        members.append((key, value))
        if places != nil {
            places?[ExactKey(text: key)] = members.count - 1
        } else if members.count >= JSONObject.indexedFrom {
            makeIndex()
        }
    }

    private mutating func remove(at place: Int) {
        members.remove(at: place)
        if places != nil { makeIndex() }
    }

    private mutating func makeIndex() {
        var index = [ExactKey: Int](minimumCapacity: members.count * 2)
        for (place, member) in members.enumerated() { index[ExactKey(text: member.key)] = place }
        places = index
    }
}

extension JSONObject: RandomAccessCollection {
    /// The place of the first member.
    public var startIndex: Int { 0 }
    /// The place after the last member.
    public var endIndex: Int { members.count }
    /// The member at a place.
    public subscript(position: Int) -> Member { members[position] }
}

extension JSONObject: Equatable {
    /// Compares without regard to the order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Makes an object; of equal keys the last wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init(elements)
    }
}

/// A key that is equal byte for byte, where Swift's strings are equal if they look the same.
private struct ExactKey: Hashable {
    let text: String

    static func == (left: ExactKey, right: ExactKey) -> Bool {
        left.text == right.text && (left.text.utf8.count == right.text.utf8.count)
            && left.text.utf8.elementsEqual(right.text.utf8)
    }
}
