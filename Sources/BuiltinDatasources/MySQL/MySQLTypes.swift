// SPDX-License-Identifier: Apache-2.0
import CMariaDB
import PluginABI

/// Which column holds which type of MySQL.
enum MySQLType {
    static func column(for field: MYSQL_FIELD) -> any SQLTextColumn {
        let isUnsigned = field.flags & UInt32(UNSIGNED_FLAG) != 0
        switch field.type {
        case MYSQL_TYPE_LONGLONG where isUnsigned: return SQLParsedColumn<UInt64> { SQLNumber.integer($0) }
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_LONG, MYSQL_TYPE_INT24, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
            return SQLParsedColumn<Int64> { SQLNumber.integer($0) }
        case MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL:
            // The length counts a sign.
            let isWhole = field.decimals == 0 && field.length <= SQLNumber.wholeDigits + (isUnsigned ? 0 : 1)
            return isWhole ? SQLParsedColumn<Int64> { SQLNumber.integer($0) } : SQLDecimalColumn()
        case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: return SQLParsedColumn<Double> { SQLNumber.double($0) }
        case MYSQL_TYPE_DATE, MYSQL_TYPE_NEWDATE, MYSQL_TYPE_DATETIME, MYSQL_TYPE_TIMESTAMP, MYSQL_TYPE_DATETIME2,
            MYSQL_TYPE_TIMESTAMP2:
            return SQLParsedColumn<Timestamp> { DateTimeText.parse($0) }
        case MYSQL_TYPE_BIT:
            // Up to 64 bits, the first byte the highest.
            return SQLParsedColumn<UInt64> { bytes in
                bytes.count <= 8 ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : nil
            }
        default: return SQLStringColumn()
        }
    }
}

/// MySQL's failures in the words of the SDK.
enum MySQLFailure {
    /// Failures of the user's statement, whose text may be shown: syntax, unknown column, no such table.
    private static let shown: Set<UInt32> = [1064, 1054, 1146]

    /// The words of Grafana's driver: `Error 1146 (42S02): Table 'd.t' doesn't exist`.
    private static func text(_ handle: UnsafeMutablePointer<MYSQL>) -> (text: String, number: UInt32, sqlState: String)
    {
        let number = mysql_errno(handle)
        let sqlState = String(cString: mysql_sqlstate(handle))
        let message = String(cString: mysql_error(handle))
        return ("Error \(number) (\(sqlState)): \(message)", number, sqlState)
    }

    /// Whether the last failure is one of the line and not of the statement.
    static func isOfLine(_ handle: UnsafeMutablePointer<MYSQL>) -> Bool { (2000..<3000).contains(mysql_errno(handle)) }

    static func statement(_ handle: UnsafeMutablePointer<MYSQL>) -> PluginError {
        let (text, number, sqlState) = text(handle)
        if (2000..<3000).contains(number) {
            return PluginError(
                .io, "db query error: the connection to the server was lost", source: .downstream,
                hint: "A row of more than \(SQLWait.maximumRowBytes >> 20) MiB ends the connection, too.",
                details: details(text, number, sqlState))
        }
        var error = SQLFailure.query(
            shown.contains(number) ? text : "query failed - \(SQLFailure.hiddenText)", sqlState: sqlState)
        switch number {
        case 1317: error.code = .cancelled
        case 1792: error.code = .forbidden
        case 1045, 1698: error.code = .unauthenticated
        case 1044, 1142, 1143, 1227, 1370: error.code = .forbidden
        default: break
        }
        error.details = details(text, number, sqlState)
        return error
    }

    static func connection(_ handle: UnsafeMutablePointer<MYSQL>) -> PluginError {
        let (text, number, sqlState) = text(handle)
        guard (2000..<3000).contains(number) else { return statement(handle) }
        var error = SQLFailure.unreachable(text)
        error.details = details(text, number, sqlState)
        return error
    }

    private static func details(_ text: String, _ number: UInt32, _ sqlState: String) -> JSONText {
        let object: JSONObject = [
            "sqlState": .string(sqlState), "number": .integer(Int64(number)), "reason": .string(text),
        ]
        return JSONText(JSONValue.object(object).encoded())
    }
}
