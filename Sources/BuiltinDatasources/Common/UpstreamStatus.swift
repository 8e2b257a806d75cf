// SPDX-License-Identifier: Apache-2.0
import PluginABI

/// What an answer with an error status means.
enum UpstreamStatus {
    /// An error that the API explains fits; so does enough of a page to show.
    static let maximumErrorBytes = 1 << 20
    /// What a message shows of a body that explains nothing.
    static let shownBytes = 1024

    /// The statuses that say that the request was wrong, which is the plugin's fault.
    private static let pluginFaults: Set = [405, 406, 412, 413, 414, 416, 417, 426, 431, 501]

    /// Who is to blame for an answer with an error status.
    static func source(_ status: Int) -> ErrorSource { pluginFaults.contains(status) ? .plugin : .downstream }

    /// The status line of HTTP, such as `404 Not Found`.
    static func line(_ status: Int) -> String { reasons[status].map { "\(status) \($0)" } ?? String(status) }

    private static let reasons: [Int: String] = [
        300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
        307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
        402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
        407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Request Entity Too Large",
        414: "Request URI Too Long", 415: "Unsupported Media Type", 421: "Misdirected Request",
        422: "Unprocessable Entity", 426: "Upgrade Required", 429: "Too Many Requests",
        431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
        502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    ]
}
