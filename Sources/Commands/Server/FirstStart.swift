// SPDX-License-Identifier: Apache-2.0
import Glibc
import Logging
import Settings
import Storage

/// What a new database gets: the administrator, and a data source that answers without anything else.
struct FirstStart {
    let settings: Settings
    let stores: Stores
    let logger: Logger

    func prepare() async throws {
        guard try !settings.bool("security", "disable_initial_admin_creation") else { return }
        let password = settings.string("security", "admin_password")
        var admin = NewUser(
            login: settings.string("security", "admin_user"), email: settings.string("security", "admin_email"),
            name: "", password: Secret(password), role: .admin)
        admin.isAdmin = true
        admin.mustChangePassword = password == "admin"
        guard try await stores.users.ensureAdmin(admin) != nil else { return }
        logger.info("Administrator created", metadata: ["login": "\(admin.login)"])
        guard try await stores.dataSources.count(orgID: 1) == 0 else { return }
        var demo = DataSourceFields(name: "Demo", type: "grafana-testdata-datasource")
        demo.isDefault = true
        _ = try await stores.dataSources.add(orgID: 1, demo, uid: "demo")
        logger.info("Demo data source created", metadata: ["uid": "demo"])
    }
}

enum Folder {
    /// Makes a folder and those above it.
    ///
    /// - Throws: ``CommandFailure``.
    static func make(_ path: String) throws {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            guard mkdir(made, 0o755) != 0, errno != EEXIST else { continue }
            let reason = String(cString: strerror(errno))
            throw CommandFailure(
                .inputOutput, "the folder '\(path)' cannot be made: \(reason); create it, or set another in [paths]")
        }
    }
}
