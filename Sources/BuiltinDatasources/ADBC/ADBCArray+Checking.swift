// SPDX-License-Identifier: Apache-2.0
import CADBC
import CPluginABI
import PluginABI

extension ADBCArray {
    private func fault(_ fact: String) -> PluginError { ADBCFault.array(field.name, fact) }

    /// Checks that so many rows can be read, here and in all parts.
    ///
    /// - Throws: ``PluginError`` `.badData`.
    /// - Complexity: O(rows) where offsets or indexes have to be followed.
    func check(rows: Int) throws {
        guard array.release != nil else { throw fault("it was released before") }
        let all = 0...Self.maximumRows
        guard all.contains(array.length), all.contains(array.offset), Int(array.length) >= start + rows else {
            throw fault(
                "length \(array.length) at offset \(array.offset), where \(start + rows) rows are needed")
        }
        try checkBuffers(rows: rows)
        guard rows > 0 else { return }
        switch field.type {
        case .text(let offsets), .binary(let offsets):
            try offsets == .views ? checkViews(rows: rows) : checkOffsets(rows: rows)
        case .list(let layout, let element): try checkList(layout, element, rows: rows)
        case .map(let entries):
            try checkOffsets(rows: rows)
            try checkedChild(0, of: 1, entries).check(rows: range(rows - 1).to)
        case .structure(let fields):
            for (index, part) in fields.enumerated() {
                try checkedChild(index, of: fields.count, part, start: base).check(rows: rows)
            }
        case .union(let isDense, let ids, let fields): try checkUnion(isDense, ids, fields, rows: rows)
        case .dictionary(let bytes, let isSigned, let values):
            try checkDictionary(bytes, isSigned, values, rows: rows)
        case .runs(let bytes, let values): try checkRuns(bytes, values, rows: rows)
        default: break
        }
    }

    private func checkedChild(_ index: Int, of count: Int, _ field: ADBCField, start: Int = 0) throws -> ADBCArray {
        guard array.n_children == Int64(count), let child = array.children?[index]?.pointee else {
            throw fault("\(array.n_children) children where \(count) are needed, or one is missing")
        }
        return ADBCArray(array: child, field: field, start: start)
    }

    /// The number of buffers of a type; views have as many more as they like.
    private var bufferCount: Int {
        switch field.type {
        case .null, .runs: 0
        case .structure, .list(.fixed, _): 1
        case .text, .binary, .list(.narrowViews, _), .list(.wideViews, _): 3
        case .union(let isDense, _, _): isDense ? 2 : 1
        default: 2
        }
    }

    private func checkBuffers(rows: Int) throws {
        let needed = bufferCount
        guard array.n_buffers >= Int64(needed), array.n_buffers <= 1 << 20, needed == 0 || array.buffers != nil else {
            throw fault("\(array.n_buffers) buffers where \(needed) are needed")
        }
        guard rows > 0 else { return }
        let hasValidity: Bool
        switch field.type {
        case .null, .runs, .union: hasValidity = false
        default: hasValidity = true
        }
        if hasValidity, array.null_count > 0, buffer(0) == nil {
            throw fault("\(array.null_count) nulls without a bitmap that says which")
        }
        guard array.null_count <= array.length else {
            throw fault("\(array.null_count) nulls in \(array.length) rows")
        }
        let first = hasValidity ? 1 : 0
        // The bytes of texts may be missing where all are empty: the offsets tell.
        let last: Int
        switch field.type {
        case .text, .binary: last = 2
        default: last = needed
        }
        for index in first..<max(first, last) where buffer(index) == nil && !isEmptyElement {
            throw fault("buffer \(index) is missing")
        }
    }

    private var isEmptyElement: Bool { field.type == .fixedBinary(0) }

    private func checkOffsets(rows: Int) throws {
        var previous = range(0).from
        guard previous >= 0 else { throw fault("it begins at offset \(previous)") }
        for row in 0..<rows {
            let next = range(row).to
            guard next >= previous else { throw fault("offset \(next) follows \(previous)") }
            previous = next
        }
        guard previous <= Int(Self.maximumRows) else { throw fault("it ends at offset \(previous)") }
        let isText: Bool
        switch field.type {
        case .text, .binary: isText = true
        default: isText = false
        }
        guard !isText || previous == range(0).from || buffer(2) != nil else {
            throw fault("\(previous) bytes of text, and no buffer for them")
        }
    }

    private func checkViews(rows: Int) throws {
        for row in 0..<rows where !isNull(row) {
            let length = load(row * 4 + base * 3, as: Int32.self)
            guard length >= 0, bytes(row) != nil else { throw fault("the text of row \(row) lies outside its buffer") }
        }
    }

    private func checkList(_ layout: ADBCType.Lists, _ element: ADBCField, rows: Int) throws {
        let child = try checkedChild(0, of: 1, element)
        switch layout {
        case .narrow, .wide: try checkOffsets(rows: rows)
        case .fixed: break
        case .narrowViews, .wideViews:
            for row in 0..<rows where !isNull(row) {
                let (from, to) = range(row)
                guard from >= 0, from <= to, to <= Int(child.array.length) else {
                    throw fault("the elements \(from)..<\(to) of row \(row) are not among \(child.array.length)")
                }
            }
            return try child.check(rows: Int(max(0, child.array.length)))
        }
        try child.check(rows: range(rows - 1).to)
    }

    private func checkUnion(_ isDense: Bool, _ ids: [Int8], _ fields: [ADBCField], rows: Int) throws {
        for (index, part) in fields.enumerated() {
            let child = try checkedChild(index, of: fields.count, part, start: isDense ? 0 : base)
            try child.check(rows: isDense ? Int(max(0, child.array.length)) : rows)
        }
        for row in 0..<rows {
            let id = load(row, buffer: 0, as: Int8.self)
            guard let index = ids.firstIndex(of: id) else { throw fault("row \(row) has the unknown type \(id)") }
            guard isDense else { continue }
            let place = load(row, buffer: 1, as: Int32.self)
            guard place >= 0, Int64(place) < child(index, fields[index]).array.length else {
                throw fault("row \(row) is at place \(place) of its type")
            }
        }
    }

    private func checkDictionary(_ bytes: Int, _ isSigned: Bool, _ values: ADBCField, rows: Int) throws {
        guard let dictionary = array.dictionary?.pointee else { throw fault("its dictionary is missing") }
        try ADBCArray(array: dictionary, field: values).check(rows: Int(max(0, dictionary.length)))
        for row in 0..<rows where !isNull(row) {
            let index = integer(row, bytes: bytes, isSigned: isSigned)
            guard index >= 0, index < dictionary.length else {
                throw fault("index \(index) into a dictionary of \(dictionary.length)")
            }
        }
    }

    private func checkRuns(_ bytes: Int, _ values: ADBCField, rows: Int) throws {
        let type = ADBCField(name: field.name, type: .integer(bytes: bytes, isSigned: true))
        let ends = try checkedChild(0, of: 2, type)
        let runs = Int(max(0, ends.array.length))
        try ends.check(rows: runs)
        try checkedChild(1, of: 2, values).check(rows: runs)
        var previous: Int64 = 0
        for run in 0..<runs {
            let end = ends.integer(run, bytes: bytes, isSigned: true)
            guard end > previous else { throw fault("a run ends at \(end) behind one that ends at \(previous)") }
            previous = end
        }
        guard previous >= Int64(base + rows) else {
            throw fault("its runs end at \(previous), and it has \(base + rows) rows")
        }
    }
}
