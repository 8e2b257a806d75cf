// SPDX-License-Identifier: Apache-2.0

/// What differs between SQLite, PostgreSQL and MySQL.
///
/// One file a dialect conforms; stores write portable SQL with `?` placeholders and names in double quotes, and ask the
/// dialect for the rest.
public protocol Dialect: Sendable {
    /// The name that `[database] type` uses.
    var name: String { get }
    /// Column type of a numeric primary key that is never reused.
    var primaryKey: String { get }
    /// Column type of a flag.
    var boolean: String { get }
    /// Column type of a 64-bit whole number.
    var integer: String { get }
    /// Column type of a text that takes part in an index, at most 190 characters.
    var name190: String { get }
    /// Column type of a text of any length.
    var text: String { get }
    /// Column type of bytes, up to 16 MiB at least.
    var blob: String { get }

    /// The statement with this database's placeholders instead of `?`.
    func placeholders(_ sql: String) -> String
    /// An INSERT that updates `update` columns when a row with the same `conflict` columns exists. One `?` a column.
    func upsert(into table: String, columns: [String], conflict: [String], update: [String]) -> String
    /// A query that returns a row when the table exists; takes the table's name as its one `?`.
    var tableExists: String { get }
}
