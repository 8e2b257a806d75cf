// SPDX-License-Identifier: Apache-2.0

extension Stores {
    /// Encrypts every stored secret again under the current data keys, so that old data keys are no longer needed.
    ///
    /// Run ``SecretsService/rotateDataKeys()`` before it to begin with new keys. It may run beside a working server: a row
    /// that changes meanwhile keeps its new values. Versions and times of the rows stay.
    /// - Returns: The number of rows that were written.
    /// - Throws: ``StorageError`` `.secretUnreadable` or `.wrongSecretKey` at the first row that does not open; rows before
    ///   it are done.
    public func reencryptSecrets() async throws -> Int {
        let sources = try await rows("SELECT id, org_id, secure_json_data FROM data_source WHERE secure_json_data <> ?")
        let settings = try await rows(
            "SELECT id, org_id, plugin_id, secure_json_data FROM plugin_setting WHERE secure_json_data <> ?")
        var written = 0
        for row in sources {
            let place = DataSourceStore.place(try row.integer("id"))
            written += try await reencrypt(row, of: "data_source", place: place)
        }
        for row in settings {
            let place = PluginSettingStore.place(try row.integer("org_id"), try row.text("plugin_id"))
            written += try await reencrypt(row, of: "plugin_setting", place: place)
        }
        return written
    }

    private func rows(_ sql: String) async throws -> [Row] {
        try await database.read { try $0.query(sql, [.text("{}")]) }
    }

    private func reencrypt(_ row: Row, of table: String, place: String) async throws -> Int {
        let (id, stored) = (try row.integer("id"), try row.text("secure_json_data"))
        let clear = try await SecretFields(json: stored).open(place: place, with: secrets)
        let key = try await secrets.currentKey(scope: "org:\(try row.integer("org_id"))")
        var fields = SecretFields()
        try fields.set(clear, under: key, place: place)
        let json = try fields.json
        return try await database.write { connection in
            try connection.execute(
                "UPDATE \(table) SET secure_json_data = ? WHERE id = ? AND secure_json_data = ?",
                [.text(json), .integer(id), .text(stored)])
        }
    }
}
