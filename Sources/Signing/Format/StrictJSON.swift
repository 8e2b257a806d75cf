// SPDX-License-Identifier: Apache-2.0

internal import CJansson
internal import Glibc

/// A JSON document in which each key occurs once in its object: nobody reads another value than the one that we judged.
enum StrictJSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case real(Double)
    case string(String)
    case array([StrictJSON])
    case object([Member])

    /// A key with its value; the order is that of the text.
    struct Member: Sendable, Equatable {
        var key: String
        var value: StrictJSON
    }

    /// The deepest nesting that is read; what we sign nests three deep.
    static let maximumDepth = 16

    /// Reads a text.
    ///
    /// - Throws: ``FormatError`` for text that is no JSON, has a key twice or a NUL in a string, or nests too deep.
    init(parsing bytes: [UInt8]) throws(FormatError) {
        try self.init(bytes, flags: 0x1, maximumDepth: Self.maximumDepth)  // JSON_REJECT_DUPLICATES
    }

    /// Reads a file that others judge by its last keys, as plugin.json is one.
    init(lenient bytes: [UInt8]) throws(FormatError) {
        try self.init(bytes, flags: 0, maximumDepth: 256)
    }

    private init(_ bytes: [UInt8], flags: Int, maximumDepth: Int) throws(FormatError) {
        guard Self.depth(of: bytes) <= maximumDepth else {
            throw FormatError("the JSON nests deeper than \(maximumDepth) levels")
        }
        var error = json_error_t()
        let root = bytes.withUnsafeBytes { raw in
            json_loadb(raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count, flags, &error)
        }
        guard let root else {
            let words = withUnsafeBytes(of: &error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            // The last byte of the text is the code (jansson.h, json_error_code).
            let code = withUnsafeBytes(of: &error.text) { $0.last.map(UInt32.init) }
            throw FormatError(
                "line \(error.line), column \(error.column): \(words)",
                isDuplicateKey: code == json_error_duplicate_key.rawValue)
        }
        defer { json_decref(root) }
        self.init(root)
    }

    private init(_ value: UnsafeMutablePointer<json_t>) {
        switch value.pointee.type {
        case JSON_TRUE: self = .bool(true)
        case JSON_FALSE: self = .bool(false)
        case JSON_INTEGER: self = .integer(json_integer_value(value))
        case JSON_REAL: self = .real(json_real_value(value))
        case JSON_STRING: self = .string(Self.text(value))
        case JSON_ARRAY:
            self = .array((0..<json_array_size(value)).compactMap { json_array_get(value, $0).map(StrictJSON.init) })
        case JSON_OBJECT: self = .object(Self.members(of: value))
        default: self = .null
        }
    }

    private static func text(_ value: UnsafeMutablePointer<json_t>) -> String {
        guard let start = json_string_value(value) else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: start, count: json_string_length(value)), as: UTF8.self)
    }

    private static func members(of value: UnsafeMutablePointer<json_t>) -> [Member] {
        var members: [Member] = []
        members.reserveCapacity(json_object_size(value))
        var next = json_object_iter(value)
        while let place = next {
            if let key = json_object_iter_key(place), let member = json_object_iter_value(place) {
                members.append(Member(key: String(cString: key), value: StrictJSON(member)))
            }
            next = json_object_iter_next(value, place)
        }
        return members
    }

    /// The deepest nesting of brackets outside of strings, before the parser recurses.
    private static func depth(of bytes: [UInt8]) -> Int {
        var depth = 0
        var deepest = 0
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5C {
                    isEscaped = true
                } else if byte == 0x22 {
                    isInString = false
                }
                continue
            }
            switch byte {
            case 0x22: isInString = true
            case 0x7B, 0x5B:
                depth += 1
                deepest = max(deepest, depth)
            case 0x7D, 0x5D: depth -= 1
            default: break
            }
        }
        return deepest
    }
}

extension StrictJSON {
    /// The value of a key; nil when there is none or this is no object.
    ///
    /// - Complexity: O(members).
    subscript(key: String) -> StrictJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
    }

    /// The text with line feeds and an indentation of two spaces; no line feed at the end.
    func indentedText(_ indentation: String = "") -> String {
        let inner = indentation + "  "
        switch self {
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .integer(let number): return String(number)
        case .real(let number): return String(number)
        case .string(let text): return Self.quoted(text)
        case .array(let elements):
            guard !elements.isEmpty else { return "[]" }
            let lines = elements.map { inner + $0.indentedText(inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indentation)]"
        case .object(let members):
            guard !members.isEmpty else { return "{}" }
            let lines = members.map { "\(inner)\(Self.quoted($0.key)): \($0.value.indentedText(inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..."\u{1F}", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
