// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Storage

/// The two cookies of a session: the token, and beside it the time of its next rotation for scripts.
struct SessionCookies {
    private let options: ServerOptions

    init(_ options: ServerOptions) {
        self.options = options
    }

    private var expiryName: String { "grafana_session_expiry" }

    /// The token that a request carries.
    func token(in request: Request) -> Secret? {
        let wanted = options.cookieName + "="
        for field in request.headers[values: .cookie] {
            for pair in field.split(separator: ";") {
                let cookie = pair.drop { $0 == " " }
                if cookie.hasPrefix(wanted), cookie.count > wanted.count {
                    return Secret(String(cookie.dropFirst(wanted.count)))
                }
            }
        }
        return nil
    }

    /// Gives the client a token.
    func set(_ token: Secret, nextRotation: Date, on response: inout Response) {
        let age = options.loginMaximumLifetime.components.seconds
        add(options.cookieName, token.clearText, maximumAge: age, isReadable: false, to: &response)
        let time = String(Int64(nextRotation.timeIntervalSince1970))
        add(expiryName, time, maximumAge: age, isReadable: true, to: &response)
    }

    /// Makes the client forget the session.
    func clear(on response: inout Response) {
        add(options.cookieName, "", maximumAge: -1, isReadable: false, to: &response)
        add(expiryName, "", maximumAge: -1, isReadable: true, to: &response)
    }

    private func add(
        _ name: String, _ value: String, maximumAge: Int64, isReadable: Bool, to response: inout Response
    ) {
        var text = "\(name)=\(value); Path=\(options.cookiePath); Max-Age=\(maximumAge < 0 ? 0 : maximumAge)"
        if !isReadable { text += "; HttpOnly" }
        if options.isCookieSecure { text += "; Secure" }
        if let sameSite = options.cookieSameSite { text += "; SameSite=\(sameSite)" }
        response.headers.append(HTTPField(name: .setCookie, value: text))
    }
}
