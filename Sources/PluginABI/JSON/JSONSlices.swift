// SPDX-License-Identifier: Apache-2.0

/// Finds parts of a JSON text without building values, so that they can be passed on byte for byte.
///
/// Each function checks the whole text as strictly as ``JSONValue/init(parsing:maximumBytes:)-(Sequence<UInt8>,_)``
/// does. Ranges count bytes from the start of the text, without the white space around the part. Of equal keys the
/// last wins.
///
/// ```swift
/// let body = Array(#"{"queries":[{"refId":"A"}, {"refId":"B"}]}"#.utf8)
/// let ranges = try JSONSlices.elements(ofArrayAt: ["queries"], in: body)
/// String(decoding: body[ranges[1]], as: UTF8.self)  // {"refId":"B"}
/// ```
public enum JSONSlices {
    /// The value that the keys lead to; nil if there is none.
    ///
    /// - Throws: ``JSONError`` for a text that is not JSON.
    public static func value(at path: [String], in bytes: some Sequence<UInt8>) throws(JSONError) -> Range<Int>? {
        try scan(bytes) { (scanner: inout JSONScanner) throws(JSONError) in
            let found = try scanner.find(path[...], depth: 0)
            try scanner.finish()
            return found
        }
    }

    /// The elements of the list that the keys lead to; an empty path means the whole text.
    ///
    /// - Throws: ``JSONError``, also `.missingKey` and `.typeMismatch` if there is no list.
    public static func elements(
        ofArrayAt path: [String], in bytes: some Sequence<UInt8>
    ) throws(JSONError) -> [Range<Int>] {
        try part(at: path, in: bytes, opening: 0x5B, "a list") { (scanner: inout JSONScanner) throws(JSONError) in
            var ranges: [Range<Int>] = []
            try scanner.elements(depth: 0) { (scanner: inout JSONScanner) throws(JSONError) in
                ranges.append(try scanner.rangeOfValue())
            }
            return ranges
        }
    }

    /// The members of the object that the keys lead to, in their order; equal keys occur as often as in the text.
    ///
    /// - Throws: ``JSONError``, also `.missingKey` and `.typeMismatch` if there is no object.
    public static func members(
        ofObjectAt path: [String], in bytes: some Sequence<UInt8>
    ) throws(JSONError) -> [(key: String, value: Range<Int>)] {
        try part(at: path, in: bytes, opening: 0x7B, "an object") { (scanner: inout JSONScanner) throws(JSONError) in
            var found: [(key: String, value: Range<Int>)] = []
            try scanner.members(depth: 0) { (scanner: inout JSONScanner, key) throws(JSONError) in
                found.append((key.text, try scanner.rangeOfValue()))
            }
            return found
        }
    }

    private static func part<R>(
        at path: [String], in bytes: some Sequence<UInt8>, opening: UInt8, _ kind: String,
        _ read: (inout JSONScanner) throws(JSONError) -> R
    ) throws(JSONError) -> R {
        try scan(bytes) { (scanner: inout JSONScanner) throws(JSONError) in
            let begin = scanner
            let name = path.isEmpty ? "the JSON text" : path.joined(separator: ".")
            guard let range = try scanner.find(path[...], depth: 0) else {
                throw JSONError(.missingKey, "\(name): the key is missing")
            }
            try scanner.finish()
            var inner = begin
            inner.skip(range.lowerBound)
            guard inner.next() == opening else {
                throw JSONError(.typeMismatch, offset: range.lowerBound, "\(name): expected \(kind)")
            }
            return try read(&inner)
        }
    }

    private static func scan<R>(
        _ bytes: some Sequence<UInt8>, _ body: (inout JSONScanner) throws(JSONError) -> R
    ) throws(JSONError) -> R {
        func attempt(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<R, JSONError> {
            Result { () throws(JSONError) in
                guard let start = bytes.baseAddress else {
                    throw JSONError(.malformed, offset: 0, "the JSON text is empty")
                }
                var scanner = JSONScanner(start: start, count: bytes.count)
                return try body(&scanner)
            }
        }
        if let result = bytes.withContiguousStorageIfAvailable(attempt) { return try result.get() }
        return try Array(bytes).withUnsafeBufferPointer(attempt).get()
    }
}

extension JSONScanner {
    /// Reads a value and returns where the one lies that the keys lead to.
    fileprivate mutating func find(_ path: ArraySlice<String>, depth: Int) throws(JSONError) -> Range<Int>? {
        guard let wanted = path.first else { return try rangeOfValue(depth: depth) }
        guard next() == 0x7B else {
            try skipValue(depth: depth)
            return nil
        }
        var found: Range<Int>?
        try members(depth: depth) { (scanner: inout JSONScanner, key) throws(JSONError) in
            if key.text.utf8.elementsEqual(wanted.utf8) {
                found = try scanner.find(path.dropFirst(), depth: depth + 1)
            } else {
                try scanner.skipValue(depth: depth + 1)
            }
        }
        return found
    }

    fileprivate mutating func rangeOfValue(depth: Int = 0) throws(JSONError) -> Range<Int> {
        _ = next()
        let begin = offset
        try skipValue(depth: depth)
        return begin..<offset
    }
}
