// SPDX-License-Identifier: Apache-2.0

import PluginABI

/// Reads the keys of one JSON object and names the key when a value has the wrong type.
struct DescriptorReader {
    var object: JSONObject
    /// The keys on the way to this object, such as `info.`; empty for the root.
    var path: String

    func string(_ key: String) throws -> String {
        switch value(key) {
        case nil, .null?: return ""
        case .string(let text)?: return text
        case let other?: throw wrong(key, other, expected: "a string")
        }
    }

    func bool(_ key: String) throws -> Bool {
        switch value(key) {
        case nil, .null?: return false
        case .bool(let flag)?: return flag
        case let other?: throw wrong(key, other, expected: "true or false")
        }
    }

    /// A whole number of 0…`atMost`; 0 when missing.
    func integer(_ key: String, atMost limit: Int) throws -> Int {
        switch value(key) {
        case nil, .null?: return 0
        case .integer(let number)? where 0...Int64(limit) ~= number: return Int(number)
        case let other?: throw wrong(key, other, expected: "a whole number from 0 to \(limit)")
        }
    }

    func strings(_ key: String) throws -> [String] {
        try array(key).map { element in
            guard case .string(let text) = element else { throw wrong(key, element, expected: "a list of strings") }
            return text
        }
    }

    func objects(_ key: String) throws -> [DescriptorReader] {
        try array(key).map { element in
            guard case .object(let object) = element else { throw wrong(key, element, expected: "a list of objects") }
            return DescriptorReader(object: object, path: path + key + ".")
        }
    }

    /// The object at a key; an empty one when missing.
    func object(_ key: String) throws -> DescriptorReader {
        switch value(key) {
        case nil, .null?: return DescriptorReader(object: JSONObject(), path: path + key + ".")
        case .object(let object)?: return DescriptorReader(object: object, path: path + key + ".")
        case let other?: throw wrong(key, other, expected: "an object")
        }
    }

    private func array(_ key: String) throws -> [JSONValue] {
        switch value(key) {
        case nil, .null?: return []
        case .array(let elements)?: return elements
        case let other?: throw wrong(key, other, expected: "a list")
        }
    }

    /// The value of a key; a key that differs only in case counts when the exact one is missing, as in Go.
    private func value(_ key: String) -> JSONValue? {
        if let exact = object[key] { return exact }
        let lowered = key.lowercased()
        for (name, value) in object where name.lowercased() == lowered { return value }
        return nil
    }

    private func wrong(_ key: String, _ value: JSONValue, expected: String) -> DescriptorError {
        Self.wrong(path + key, found: Self.kind(of: value), expected: expected)
    }

    static func wrong(_ key: String, found: String, expected: String) -> DescriptorError {
        DescriptorError(
            code: .pluginJSONInvalid, key: key, found: found, expected: expected,
            message: "the key '\(key)' of plugin.json has a wrong value")
    }

    /// The value in a few words, for messages.
    static func kind(of value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .string(let text): "the string \"\(text.prefix(60))\""
        case .array: "a list"
        case .object: "an object"
        default: "a number"
        }
    }
}
