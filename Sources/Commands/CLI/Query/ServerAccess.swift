// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FoundationEssentials
import Glibc
import PluginABI

/// Where the running server is and who asks it.
struct ServerAccess: ParsableArguments {
    @Option(help: "The server's address.")
    var url = "http://localhost:3000"

    @OptionGroup var credentials: ServerCredentials

    @Option(help: "How long to wait for an answer, such as 30s.")
    var timeout = TimeAmount.thirtySeconds

    /// The header `Authorization`; see ``ServerCredentials/authorization()``.
    func authorization() throws -> String? { try credentials.authorization() }
}

/// Who asks a server.
struct ServerCredentials: ParsableArguments {
    @Option(help: "The user; the password comes from GRAFANA_PASSWORD or is asked for.")
    var user: String?

    @Option(help: "The password. Other users of this machine can see it here: prefer GRAFANA_PASSWORD.")
    var password: String?

    @Option(help: "A token of a service account. Other users of this machine can see it here: prefer GRAFANA_TOKEN.")
    var token: String?

    func validate() throws {
        if user != nil, token != nil { throw ValidationError("Give either --user or --token.") }
        if password != nil, user == nil { throw ValidationError("--password needs --user.") }
        if user?.contains(":") == true {
            throw ValidationError("--user has a colon, which basic authentication cannot carry.")
        }
    }

    /// The header `Authorization`; nil to ask as nobody.
    ///
    /// - Throws: ``CommandFailure`` `.usage` when the password is not given and nobody can be asked for it.
    func authorization() throws -> String? {
        if let user {
            let password = try password ?? Terminal.variable("GRAFANA_PASSWORD") ?? askForPassword(of: user)
            return "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
        }
        guard let token = token ?? Terminal.variable("GRAFANA_TOKEN"), !token.isEmpty else { return nil }
        guard token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CommandFailure(.usage, "token: it has characters that a token never has; copy it again")
        }
        return "Bearer \(token)"
    }

    private func askForPassword(of user: String) throws -> String {
        guard PasswordPrompt.isPossible else {
            throw CommandFailure(
                .usage, "user '\(user)': the password is missing; put it into the environment as GRAFANA_PASSWORD")
        }
        return try PasswordPrompt.read("Password of \(user): ")
    }
}

/// Finds a data source by what a person calls it.
struct DataSourceLookup: Sendable {
    let client: APIClient

    /// Looks for the uid first, then for the name.
    ///
    /// - Throws: ``CommandFailure`` `.badData` with the names that exist when there is none.
    func find(_ reference: String) async throws -> DataSourceIdentity {
        let part = Self.encoded(reference)
        for path in ["/api/datasources/uid/\(part)", "/api/datasources/name/\(part)"] {
            let answer = try await client.get(path)
            if answer.status == 404 { continue }
            if let failure = answer.failure("data source '\(reference)'") { throw failure }
            return try identity(in: answer.body, reference)
        }
        let names = try await knownNames()
        let remedy = names.isEmpty ? "add one first" : "there are \(names.map { "'\($0)'" }.joined(separator: ", "))"
        throw CommandFailure(
            .badData, "data source '\(reference)': '\(client.url)' has none with this uid or name; \(remedy)")
    }

    private func identity(in body: [UInt8], _ reference: String) throws -> DataSourceIdentity {
        let value = try? JSONValue(parsing: body)
        guard let uid = value?["uid"]?.string, let type = value?["type"]?.string else {
            throw CommandFailure(
                .badData, "data source '\(reference)': the answer of '\(client.url)' is not Grafana's; correct --url")
        }
        return DataSourceIdentity(uid: uid, name: value?["name"]?.string ?? reference, type: type)
    }

    private func knownNames() async throws -> [String] {
        let list = try await client.get("/api/datasources")
        let items = (try? JSONValue(parsing: list.body))?.array ?? []
        return items.prefix(20).compactMap { $0["name"]?.string }
    }

    /// A segment of a path; all but unreserved characters are escaped (RFC 3986, section 2.3).
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                byte < 0x80
                && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte)
                    || "-._~".unicodeScalars.contains(scalar))
            if isPlain {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
