// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// The fields of a query object, with errors that name the field.
struct QueryFields {
    var refID: String
    var value: JSONValue

    func text(_ key: String) throws -> String {
        guard let field = value[key], !field.isNull else { return "" }
        guard let text = field.string else { throw misfit(key, "a text") }
        return text
    }

    func flag(_ key: String) throws -> Bool {
        guard let field = value[key], !field.isNull else { return false }
        guard let flag = field.bool else { throw misfit(key, "true or false") }
        return flag
    }

    func integer(_ key: String) throws -> Int64 {
        guard let field = value[key], !field.isNull else { return 0 }
        guard let number = field.double, let integer = Int64(exactly: number.rounded(.towardZero)) else {
            throw misfit(key, "a number")
        }
        return integer
    }

    func misfit(_ key: String, _ expected: String) -> PluginError {
        PluginError(.invalid, "query \(refID): the field \"\(key)\" is not \(expected)")
    }
}

extension DataQuery {
    /// The length of the time range.
    ///
    /// - Throws: ``PluginError`` `.invalid` when it ends before it starts, or is longer than 292 years.
    func rangeLength() throws -> Interval {
        let (length, overflow) = to.nanoseconds.subtractingReportingOverflow(from.nanoseconds)
        guard !overflow, length >= 0 else {
            throw PluginError(.invalid, "query \(refID): the time range ends before it starts")
        }
        return Interval(nanoseconds: length)
    }
}
