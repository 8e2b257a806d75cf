// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// The encrypted `secure_json_data` column of one row: a JSON object from field name to base64 of a sealed value.
struct SecretFields: Sendable {
    private var values: [String: String]

    /// No secrets.
    init() {
        values = [:]
    }

    /// Reads the column.
    init(json: String) throws {
        guard let values = try? JSONDecoder().decode([String: String].self, from: Data(json.utf8)) else {
            throw StorageError(
                .corrupt, "database: a secure_json_data column is not a JSON object of texts; restore a backup")
        }
        self.values = values
    }

    /// The names of the fields that are set, sorted.
    var names: [String] { values.keys.sorted() }

    /// The column.
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(values), as: UTF8.self)
        }
    }

    /// Encrypts the given fields into the column; others stay.
    ///
    /// `place` is the row, such as `data_source/7`.
    mutating func set(_ secrets: [String: Secret], under key: DataKey, place: String) throws {
        for (name, secret) in secrets {
            let sealed = try SealedValue(secret, under: key, context: "\(place)/\(name)")
            values[name] = Data(sealed.bytes).base64EncodedString()
        }
    }

    /// Decrypts all fields.
    func open(place: String, with secrets: SecretsService) async throws -> [String: Secret] {
        var sealed: [String: [UInt8]] = [:]
        for (name, text) in values { sealed["\(place)/\(name)"] = Data(base64Encoded: text).map { Array($0) } ?? [] }
        let opened = try await secrets.open(sealed)
        var fields: [String: Secret] = [:]
        for name in values.keys { fields[name] = opened["\(place)/\(name)"] }
        return fields
    }
}
