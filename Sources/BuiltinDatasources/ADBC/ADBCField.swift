// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import PluginABI

/// The type of a column of a driver's result: all of Arrow, of which frames have a part.
indirect enum ADBCType: Sendable, Equatable {
    /// How the bytes of texts are found.
    enum Offsets: Sendable, Equatable { case narrow, wide, views }
    /// How the elements of lists are found.
    enum Lists: Sendable, Equatable { case narrow, wide, narrowViews, wideViews, fixed(Int) }
    enum Intervals: Sendable, Equatable { case months, dayTime, monthDayNano }

    case null, bool
    case integer(bytes: Int, isSigned: Bool)
    case float(bytes: Int)
    case decimal(scale: Int, bytes: Int)
    case text(Offsets), binary(Offsets)
    case fixedBinary(Int)
    /// A day, as days in 4 bytes or milliseconds in 8.
    case date(bytes: Int)
    /// A time of the day; the unit is in nanoseconds.
    case time(bytes: Int, unit: Int64)
    case timestamp(unit: Int64, hasZone: Bool)
    case duration(unit: Int64)
    case interval(Intervals)
    case list(Lists, ADBCField), structure([ADBCField]), map(ADBCField)
    case union(isDense: Bool, ids: [Int8], [ADBCField])
    case dictionary(indexBytes: Int, isSigned: Bool, ADBCField)
    case runs(endBytes: Int, ADBCField)
}

/// A column of a driver's result, or a part of one.
final class ADBCField: Sendable, Equatable {
    let name: String
    let type: ADBCType
    /// `ARROW:extension:name` and `…:metadata`; empty for a plain type.
    let extensionName: String
    let extensionMetadata: String

    /// How deep types may nest: a value becomes JSON, which lies inside the JSON of an answer.
    private static let maximumDepth = 12
    /// More columns than any panel shows.
    private static let maximumFields = 100_000

    init(name: String, type: ADBCType, extensionName: String = "", extensionMetadata: String = "") {
        self.name = name
        self.type = type
        self.extensionName = extensionName
        self.extensionMetadata = extensionMetadata
    }

    static func == (left: ADBCField, right: ADBCField) -> Bool {
        left.name == right.name && left.type == right.type && left.extensionName == right.extensionName
    }

    /// Reads a schema, which stays the caller's.
    ///
    /// - Throws: ``PluginError`` `.badData`, `.unsupported`.
    convenience init(_ schema: ArrowSchema, depth: Int = 0) throws {
        let name = schema.name.map { String(cString: $0) } ?? ""
        guard schema.release != nil, let format = schema.format.map({ String(cString: $0) }) else {
            throw ADBCFault.schema(name, "it was released before, or has no format")
        }
        guard depth <= Self.maximumDepth else {
            throw ADBCFault.schema(name, "its type nests deeper than \(Self.maximumDepth) levels")
        }
        let metadata = try ADBCMetadata(schema.metadata, field: name)
        self.init(
            name: name, type: try Self.type(format, schema, name, depth),
            extensionName: metadata["ARROW:extension:name"] ?? "",
            extensionMetadata: metadata["ARROW:extension:metadata"] ?? "")
    }

    private static func children(_ schema: ArrowSchema, _ name: String, _ depth: Int) throws -> [ADBCField] {
        let count = schema.n_children
        guard (0...Int64(maximumFields)).contains(count), count == 0 || schema.children != nil else {
            throw ADBCFault.schema(name, "it has \(count) children")
        }
        return try (0..<Int(count)).map { index in
            guard let child = schema.children?[index]?.pointee else {
                throw ADBCFault.schema(name, "child \(index) is missing")
            }
            return try ADBCField(child, depth: depth + 1)
        }
    }

    private static func only(_ schema: ArrowSchema, _ name: String, _ depth: Int) throws -> ADBCField {
        let all = try children(schema, name, depth)
        guard all.count == 1 else { throw ADBCFault.schema(name, "it has \(all.count) children and needs 1") }
        return all[0]
    }

    private static func type(_ format: String, _ schema: ArrowSchema, _ name: String, _ depth: Int) throws -> ADBCType {
        if let dictionary = schema.dictionary {
            guard case .integer(let bytes, let isSigned)? = ADBCType.plain(format) else {
                throw ADBCFault.schema(name, "a dictionary is indexed by '\(format)', which is no integer")
            }
            return .dictionary(
                indexBytes: bytes, isSigned: isSigned, try ADBCField(dictionary.pointee, depth: depth + 1))
        }
        if let plain = ADBCType.plain(format) ?? ADBCType.parameterized(format) { return plain }
        switch format {
        case "+l": return .list(.narrow, try only(schema, name, depth))
        case "+L": return .list(.wide, try only(schema, name, depth))
        case "+vl": return .list(.narrowViews, try only(schema, name, depth))
        case "+vL": return .list(.wideViews, try only(schema, name, depth))
        case "+s": return .structure(try children(schema, name, depth))
        case "+m":
            let entries = try only(schema, name, depth)
            guard case .structure(let fields) = entries.type, fields.count == 2 else {
                throw ADBCFault.schema(name, "a map needs entries of a key and a value")
            }
            return .map(entries)
        case "+r":
            let parts = try children(schema, name, depth)
            guard parts.count == 2, case .integer(let bytes, true) = parts[0].type, bytes >= 2 else {
                throw ADBCFault.schema(name, "runs need the ends, as integers, and the values")
            }
            return .runs(endBytes: bytes, parts[1])
        case _ where format.hasPrefix("+w:"):
            guard let size = Int(format.dropFirst(3)), (0...1 << 20).contains(size) else { break }
            return .list(.fixed(size), try only(schema, name, depth))
        case _ where format.hasPrefix("+ud:") || format.hasPrefix("+us:"):
            let ids = format.dropFirst(4).split(separator: ",").compactMap { Int8($0) }
            let fields = try children(schema, name, depth)
            guard ids.count == fields.count, ids.allSatisfy({ $0 >= 0 }) else { break }
            return .union(isDense: format.hasPrefix("+ud:"), ids: ids, fields)
        default: break
        }
        throw PluginError(
            .unsupported,
            "column \"\(name)\" has the Arrow type '\(format.prefix(64))', which this data source does not know; cast it "
                + "in the query", source: .downstream)
    }
}

extension ADBCType {
    /// The types of one or two letters.
    static func plain(_ format: String) -> ADBCType? {
        switch format {
        case "n": .null
        case "b": .bool
        case "c": .integer(bytes: 1, isSigned: true)
        case "C": .integer(bytes: 1, isSigned: false)
        case "s": .integer(bytes: 2, isSigned: true)
        case "S": .integer(bytes: 2, isSigned: false)
        case "i": .integer(bytes: 4, isSigned: true)
        case "I": .integer(bytes: 4, isSigned: false)
        case "l": .integer(bytes: 8, isSigned: true)
        case "L": .integer(bytes: 8, isSigned: false)
        case "e": .float(bytes: 2)
        case "f": .float(bytes: 4)
        case "g": .float(bytes: 8)
        case "u": .text(.narrow)
        case "U": .text(.wide)
        case "vu": .text(.views)
        case "z": .binary(.narrow)
        case "Z": .binary(.wide)
        case "vz": .binary(.views)
        case "tdD": .date(bytes: 4)
        case "tdm": .date(bytes: 8)
        case "tts": .time(bytes: 4, unit: 1_000_000_000)
        case "ttm": .time(bytes: 4, unit: 1_000_000)
        case "ttu": .time(bytes: 8, unit: 1000)
        case "ttn": .time(bytes: 8, unit: 1)
        case "tDs": .duration(unit: 1_000_000_000)
        case "tDm": .duration(unit: 1_000_000)
        case "tDu": .duration(unit: 1000)
        case "tDn": .duration(unit: 1)
        case "tiM": .interval(.months)
        case "tiD": .interval(.dayTime)
        case "tin": .interval(.monthDayNano)
        default: nil
        }
    }

    /// Decimals, bytes of one length, and timestamps with their zone.
    static func parameterized(_ format: String) -> ADBCType? {
        let units: [String: Int64] = ["tss:": 1_000_000_000, "tsm:": 1_000_000, "tsu:": 1000, "tsn:": 1]
        if let unit = units[String(format.prefix(4))] {
            return .timestamp(unit: unit, hasZone: format.utf8.count > 4)
        }
        if format.hasPrefix("w:"), let size = Int(format.dropFirst(2)), (0...1 << 28).contains(size) {
            return .fixedBinary(size)
        }
        guard format.hasPrefix("d:") else { return nil }
        let numbers = format.dropFirst(2).split(separator: ",").map { Int($0) }
        guard (2...3).contains(numbers.count), let scale = numbers[1], (-128...128).contains(scale),
            let bits = numbers.count == 3 ? numbers[2] : 128, [32, 64, 128, 256].contains(bits)
        else { return nil }
        return .decimal(scale: scale, bytes: bits / 8)
    }

    /// The name of the type in Arrow's own words, for people who write queries.
    var name: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .integer(let bytes, let isSigned): "\(isSigned ? "int" : "uint")\(bytes * 8)"
        case .float(let bytes): "float\(bytes * 8)"
        case .decimal(_, let bytes): "decimal\(bytes * 8)"
        case .text: "utf8"
        case .binary: "binary"
        case .fixedBinary(let size): "fixed_size_binary[\(size)]"
        case .date: "date"
        case .time: "time"
        case .timestamp(_, let hasZone): hasZone ? "timestamp with time zone" : "timestamp"
        case .duration: "duration"
        case .interval: "interval"
        case .list(_, let element): "list<\(element.type.name)>"
        case .structure(let fields): "struct<\(fields.map { "\($0.name): \($0.type.name)" }.joined(separator: ", "))>"
        case .map: "map"
        case .union: "union"
        case .dictionary(_, _, let values), .runs(_, let values): values.type.name
        }
    }
}

/// The key-value metadata of a schema: the number of pairs, then each key and value behind its length.
struct ADBCMetadata {
    private var pairs: [String: String] = [:]

    /// Metadata is a few names; more than this is a mistake.
    private static let maximumCount = 1000
    private static let maximumBytes = 1 << 20

    init(_ blob: UnsafePointer<CChar>?, field: String) throws {
        guard var place = blob.map({ UnsafeRawPointer($0) }) else { return }
        func number(upTo limit: Int) throws -> Int {
            let value = Int(place.loadUnaligned(as: Int32.self))
            guard (0...limit).contains(value) else {
                throw ADBCFault.schema(field, "its metadata has a count or length of \(value)")
            }
            place += 4
            return value
        }
        func text() throws -> String {
            let length = try number(upTo: Self.maximumBytes)
            defer { place += length }
            return String(decoding: UnsafeRawBufferPointer(start: place, count: length), as: UTF8.self)
        }
        for _ in 0..<(try number(upTo: Self.maximumCount)) {
            let key = try text()
            pairs[key] = try text()
        }
    }

    subscript(key: String) -> String? { pairs[key] }
}

/// What a driver sent that no driver may send.
enum ADBCFault {
    static func schema(_ field: String, _ fact: String) -> PluginError {
        PluginError(
            .badData, "the driver sent a malformed Arrow schema: column \"\(field)\": \(fact); update the driver",
            source: .downstream)
    }

    static func array(_ field: String, _ fact: String) -> PluginError {
        PluginError(
            .badData, "the driver sent a malformed Arrow array: column \"\(field)\": \(fact); update the driver",
            source: .downstream)
    }
}
