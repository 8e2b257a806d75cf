// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Settings
import Storage

/// `grafana-cli admin reset-admin-password`: for an administrator who is locked out.
struct ResetPasswordCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-admin-password",
        abstract: "Sets a new password of an administrator and ends the administrator's sessions.",
        discussion: """
            Works on the database file, also while the server runs. Without PASSWORD and --password-from-stdin it asks \
            at the terminal.
            """)

    /// The server's own rule for new passwords.
    private static let shortestPassword = 4

    @Argument(
        help: ArgumentHelp(
            "The new password. Other users of this machine can see it here: prefer --password-from-stdin.",
            valueName: "PASSWORD"))
    var password: String?

    @Flag(help: "Read the new password from the first line of standard input.")
    var passwordFromStdin = false

    @Option(help: "The numeric id of the administrator.")
    var userID: Int64?

    @Option(help: "The login or e-mail address; [security] admin_user when both are left out.")
    var login: String?

    @OptionGroup(title: "Settings")
    var options: SettingsOptions

    /// A setting in the place of the password belongs to the settings.
    private var givenPassword: String? { password?.hasPrefix("cfg:") == true ? nil : password }

    func validate() throws {
        if passwordFromStdin, givenPassword != nil {
            throw ValidationError("Give either PASSWORD or --password-from-stdin.")
        }
        if userID != nil, login != nil { throw ValidationError("Give either --user-id or --login.") }
        // Any other word after the password would be taken for a setting.
        if let word = options.overrides.first(where: { !$0.hasPrefix("cfg:") }) {
            throw ValidationError("'\(word)' is neither PASSWORD nor a setting; quote a password that has spaces.")
        }
    }

    func perform() async throws {
        var options = options
        if let password, givenPassword == nil { options.overrides.insert(password, at: 0) }
        let settings = try options.load()
        let database = try DatabaseAccess(settings: settings)
        let login = login ?? settings.string("security", "admin_user")
        // Opened before anything is asked: nobody should type a password for a database that cannot be opened.
        let name = try await database.with(role: .tool) { stores in
            let user = try await find(login: login, in: stores)
            let password = try newPassword(of: user.login)
            try await stores.users.setPassword(id: user.id, to: password)
            try await stores.sessions.revokeAll(userID: user.id)
            try await stores.loginAttempts.reset(login: user.login)
            return user.login
        }
        try Terminal.write("Admin password changed successfully: user '\(TerminalText.line(name))'\n")
    }

    private func find(login: String, in stores: Stores) async throws -> User {
        let user: User
        do {
            user =
                if let userID { try await stores.users.find(id: userID) } else {
                    try await stores.users.find(loginOrEmail: login)
                }
        } catch let error as StorageError where error.code == .notFound {
            let admins = try await stores.users.list().filter(\.isAdmin).map(\.login)
            let known =
                admins.isEmpty
                ? "start the server once to make one" : "use --login with one of: \(admins.joined(separator: ", "))"
            throw CommandFailure(.badData, "user '\(userID.map(String.init) ?? login)': there is none; \(known)")
        }
        guard user.isAdmin else {
            throw CommandFailure(
                .badData,
                "user '\(user.login)': it is no server administrator; sign in as one and change the password there")
        }
        return user
    }

    private func newPassword(of login: String) throws -> Secret {
        let text: String
        if let givenPassword {
            text = givenPassword
        } else if passwordFromStdin {
            text = try PasswordPrompt.readFromStandardInput()
        } else if PasswordPrompt.isPossible {
            text = try PasswordPrompt.readNew("New password of \(login): ")
        } else {
            throw CommandFailure(
                .usage, "password: none is given and there is no terminal to ask at; use --password-from-stdin")
        }
        guard text.count >= Self.shortestPassword else {
            throw CommandFailure(
                .usage, "password: it is too short; give at least \(Self.shortestPassword) characters")
        }
        return Secret(text)
    }
}
