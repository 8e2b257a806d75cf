// SPDX-License-Identifier: Apache-2.0
import Glibc

/// The server's own database, which holds its users and secrets and is nobody's data source.
package enum ServerDatabase {
    /// The setting of a plugin in which the server says where its database is.
    package static let setting = "server_database"
    /// The built-in plugins that open files.
    package static let plugins = ["frser-sqlite-datasource", "gf-adbc-datasource"]

    /// Whether a path leads to a file of the database, under whatever name.
    static func contains(_ path: String, database: String) -> Bool {
        guard !database.isEmpty, let file = identity(path) else { return false }
        return ["", "-wal", "-shm", "-journal"].contains { identity(database + $0) == file }
    }

    private struct Identity: Equatable {
        var device: dev_t
        var number: ino_t
    }

    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        return stat(path, &status) == 0 ? Identity(device: status.st_dev, number: status.st_ino) : nil
    }
}
