// SPDX-License-Identifier: Apache-2.0

/// Text for HTML with everything escaped that could be markup, in elements and in quoted attributes.
struct HTMLText: ExpressibleByStringInterpolation, Sendable {
    /// The markup.
    var markup: String

    init(stringLiteral value: String) {
        markup = value
    }

    init(markup: String) {
        self.markup = markup
    }

    init(stringInterpolation: Interpolation) {
        markup = stringInterpolation.markup
    }

    struct Interpolation: StringInterpolationProtocol {
        var markup = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            markup.reserveCapacity(literalCapacity * 2)
        }

        mutating func appendLiteral(_ literal: String) { markup += literal }
        /// Values are escaped.
        mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            markup += HTMLText.escaped(value.description)
        }
        /// Markup is not.
        mutating func appendInterpolation(_ value: HTMLText) { markup += value.markup }
        mutating func appendInterpolation(_ values: [HTMLText]) {
            for value in values { markup += value.markup }
        }
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// The frame of every page.
enum Page {
    static func html(title: String, user: String = "", _ options: ServerOptions, _ content: HTMLText) -> String {
        let account: HTMLText =
            user.isEmpty
            ? ""
            : """
            <nav><span>\(user)</span><a href="\(options.link("/profile/password"))">Password</a>\
            <a href="\(options.link("/logout"))">Sign out</a></nav>
            """
        let page: HTMLText = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1">
            <title>\(title)</title><style>\(HTMLText(markup: style))</style></head><body>
            <header><a class="brand" href="\(options.link("/"))"><i></i>Grafana-compatible server</a>\(account)</header>
            <main>
            \(content)
            </main></body></html>

            """
        return page.markup
    }

    private static let style = """
        :root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2027;--dim:#5c6773;--line:#dfe3e8;--link:#1a5fb4;\
        --accent:#e8590c;--ok:#1a7f37;--okbg:#dafbe1;--bad:#b42318;--badbg:#fee4e2;--off:#57606a;--offbg:#eaeef2}
        @media(prefers-color-scheme:dark){:root{--bg:#111317;--card:#191c22;--ink:#e4e7eb;--dim:#98a2b0;--line:#2b3038;\
        --link:#7cb3ff;--accent:#ff8f4c;--ok:#6fdd8b;--okbg:#12351d;--bad:#ff9b90;--badbg:#451a17;--off:#a9b4c0;--offbg:#2a2f37}}
        *{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);\
        font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        header{display:flex;justify-content:space-between;align-items:center;gap:1rem;flex-wrap:wrap;padding:.8rem 1.5rem;\
        border-bottom:1px solid var(--line);background:var(--card)}
        .brand{font-weight:650;color:inherit;text-decoration:none;display:flex;align-items:center;gap:.6rem}
        .brand i{width:.85rem;height:.85rem;border-radius:.25rem;background:var(--accent);transform:rotate(45deg)}
        nav{display:flex;gap:1rem;color:var(--dim);font-size:.9rem}
        a{color:var(--link)}a:focus-visible,button:focus-visible,input:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        main{max-width:72rem;margin:0 auto;padding:1.5rem}
        h1{font-size:1.6rem;line-height:1.2;margin:.4rem 0 .3rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
        p{margin:.3rem 0}.dim{color:var(--dim)}.small{font-size:.88rem}
        .card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;overflow-x:auto}
        .pad{padding:1rem 1.2rem}
        table{border-collapse:collapse;width:100%;min-width:40rem}th,td{text-align:left;padding:.6rem 1rem;vertical-align:top}
        th{font-size:.78rem;font-weight:600;letter-spacing:.03em;color:var(--dim);border-bottom:1px solid var(--line);white-space:nowrap}
        tr+tr td{border-top:1px solid var(--line)}td.n{text-align:right;font-variant-numeric:tabular-nums}th.n{text-align:right}
        code{font:.88em ui-monospace,"SF Mono",Menlo,Consolas,monospace;overflow-wrap:anywhere}
        .tag{display:inline-block;padding:0 .55rem;border-radius:1rem;font-size:.82rem;font-weight:550;white-space:nowrap;\
        color:var(--off);background:var(--offbg)}.tag.ok{color:var(--ok);background:var(--okbg)}.tag.bad{color:var(--bad);background:var(--badbg)}
        .facts{display:flex;flex-wrap:wrap;gap:.4rem 2rem;color:var(--dim);margin:.2rem 0 0}
        .facts .tag{text-decoration:none;align-self:center}
        main>.note{margin:0 0 1.4rem}
        .facts b{color:var(--ink);font-weight:600}
        .refusal{padding:1rem 1.2rem}.refusal+.refusal{border-top:1px solid var(--line)}
        .fix{margin-top:.4rem;padding-left:.8rem;border-left:3px solid var(--accent)}.fix::first-letter{text-transform:uppercase}
        form{max-width:24rem;margin:8vh auto 0}label{display:block;margin:.9rem 0 .25rem;font-weight:550;font-size:.92rem}
        input{width:100%;padding:.55rem .7rem;font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:.4rem}
        button{margin-top:1.2rem;width:100%;padding:.6rem;font:inherit;font-weight:600;color:#fff;background:#c2410c;border:0;\
        border-radius:.4rem;cursor:pointer}.note{border-radius:.4rem;padding:.6rem .8rem;margin:.8rem 0;background:var(--offbg)}
        .note.bad{color:var(--bad);background:var(--badbg)}
        """
}
