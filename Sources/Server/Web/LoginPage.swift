// SPDX-License-Identifier: Apache-2.0

/// The form that asks for login and password.
struct LoginPage {
    /// Why the last try failed.
    var failure: String?
    /// What was typed in the last try.
    var login = ""

    func html(_ options: ServerOptions) -> String {
        let note: HTMLText = failure.map { "<p class=\"note bad\" role=\"alert\">\($0)</p>" } ?? ""
        let (loginFocus, passwordFocus): (HTMLText, HTMLText) = login.isEmpty ? (" autofocus", "") : ("", " autofocus")
        let content: HTMLText = """
            <form class="card pad" method="post" action="\(options.link("/login"))">
            <h1>Sign in</h1>\(note)
            <label for="user">Login or e-mail</label>
            <input id="user" name="user" value="\(login)" autocomplete="username" autocapitalize="none" required\(loginFocus)>
            <label for="password">Password</label>
            <input id="password" name="password" type="password" autocomplete="current-password" required\(passwordFocus)>
            <button>Sign in</button>
            <p class="dim small" style="margin-top:1rem">A new server has the user <code>admin</code> with the password \
            of <code>[security] admin_password</code>, and asks for a new one after the first sign-in.</p>
            </form>
            """
        return Page.html(title: "Sign in", options, content)
    }
}

/// The form that sets a new password.
struct PasswordPage {
    /// Whether the user came here because the password must change.
    var isForced = false
    var failure: String?

    func html(_ options: ServerOptions) -> String {
        let note: HTMLText =
            failure.map { "<p class=\"note bad\" role=\"alert\">\($0)</p>" }
            ?? (isForced ? "<p class=\"note\">Please choose a password of your own before you go on.</p>" : "")
        let later: HTMLText =
            isForced
            ? "<p class=\"small\" style=\"margin-top:1rem\"><a href=\"\(options.link("/"))\">Not now</a></p>" : ""
        let content: HTMLText = """
            <form class="card pad" method="post" action="\(options.link("/profile/password"))">
            <h1>Change password</h1>\(note)
            <label for="old">Old password</label>
            <input id="old" name="oldPassword" type="password" autocomplete="current-password" required>
            <label for="new">New password</label>
            <input id="new" name="newPassword" type="password" autocomplete="new-password" minlength="4" required>
            <label for="again">New password, again</label>
            <input id="again" name="confirmNew" type="password" autocomplete="new-password" minlength="4" required>
            <button>Change password</button>\(later)
            </form>
            """
        return Page.html(title: "Change password", options, content)
    }
}

/// A page that only says something, such as an error.
struct MessagePage {
    var title: String
    var message: String

    func html(_ options: ServerOptions) -> String {
        Page.html(
            title: title, options,
            "<h1>\(title)</h1><p>\(message)</p><p><a href=\"\(options.link("/"))\">To the status page</a></p>")
    }
}
