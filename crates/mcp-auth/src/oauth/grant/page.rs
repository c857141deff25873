//! The page that the browser shows at the end of a sign-in: one self-contained document, no script, light and
//! dark. It is sent when the outcome is known, so it says what really happened.

/// What the page tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Page<'a> {
    /// The tokens are there and the server has accepted them.
    SignedIn { server: &'a str },
    /// The sign-in failed; `why` is the error that the terminal shows as well.
    Failed { server: &'a str, why: &'a str },
    /// An error came that does not say which sign-in it belongs to.
    Unproven { said: &'a str },
    /// The request is not the answer to the sign-in in progress.
    NotExpected,
}

impl Page<'_> {
    /// Status line and document.
    pub(crate) fn render(self) -> (&'static str, String) {
        match self {
            Self::SignedIn { server } => (
                "200 OK",
                document(
                    "ok",
                    "Signed in",
                    &format!("<b>{}</b> accepted the sign-in.", escape(server)),
                    "You can close this tab and go back to where you started.",
                ),
            ),
            Self::Failed { server, why } => (
                "400 Bad Request",
                document(
                    "bad",
                    "Sign-in failed",
                    // Not "you are not signed in": an earlier sign-in stays as it was.
                    &format!("The sign-in to <b>{}</b> did <b>not</b> succeed.", escape(server)),
                    &format!(
                        "<code>{}</code>What was there before is untouched. Close this tab and try again.",
                        escape(why)
                    ),
                ),
            ),
            Self::Unproven { said } => (
                "400 Bad Request",
                document(
                    "bad",
                    "An error, of no known sign-in",
                    "It does not say which sign-in it belongs to, so yours is still waited for.",
                    &format!(
                        "<code>{}</code>If you came here by signing in, it has failed: press Ctrl-C where you began, or paste the address of this page there.",
                        escape(said)
                    ),
                ),
            ),
            Self::NotExpected => (
                "400 Bad Request",
                document(
                    "bad",
                    "Not expected",
                    "This does not belong to a sign-in in progress.",
                    "Start the sign-in again, and use the newest tab.",
                ),
            ),
        }
    }
}

fn document(class: &str, title: &str, headline: &str, detail: &str) -> String {
    let mark = match class {
        "ok" => "<path d=\"M14 25l7 7 14-15\"/>",
        _ => "<path d=\"M17 17l14 14M31 17L17 31\"/>",
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
<link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head><body><main class=\"{class}\" role=\"status\">\
<svg viewBox=\"0 0 48 48\" width=\"72\" height=\"72\" aria-hidden=\"true\"><circle cx=\"24\" cy=\"24\" r=\"21\"/>{mark}</svg>\
<h1>{title}</h1><p>{headline}</p><p class=\"detail\">{detail}</p></main></body></html>"
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--text:#1c2330;--soft:#5a6475;--line:#e2e6ed;--ok:#128a4c;--bad:#c4314b}\
@media(prefers-color-scheme:dark){:root{--bg:#12151b;--card:#1b2029;--text:#e8ecf3;--soft:#9aa5b6;--line:#2b323e;--ok:#3ecf84;--bad:#ff6b81}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--bg);\
color:var(--text);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:min(30rem,100%);padding:2.75rem 2.25rem;text-align:center;background:var(--card);border:1px solid var(--line);\
border-radius:1rem;box-shadow:0 12px 40px rgb(0 0 0/.08)}\
svg{fill:none;stroke:var(--tone);stroke-width:3;stroke-linecap:round;stroke-linejoin:round}.ok{--tone:var(--ok)}.bad{--tone:var(--bad)}\
h1{margin:1rem 0 .5rem;font-size:1.5rem;letter-spacing:-.01em}p{margin:.25rem 0;text-wrap:balance}.detail{margin-top:1rem;color:var(--soft);text-wrap:balance}\
code{display:block;margin-bottom:1rem;padding:.75rem 1rem;text-wrap:wrap;text-align:left;overflow-wrap:anywhere;background:var(--bg);border-radius:.5rem;font-size:.875rem}";

/// Text for HTML: names of servers come from files that a stranger may have written.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f077_the_page_tells_success_from_failure() {
        let (status, page) = Page::SignedIn { server: "github" }.render();
        assert!(status.starts_with("200") && page.contains("<b>github</b> accepted"));
        let (status, page) = Page::Failed { server: "github", why: "no token" }.render();
        assert!(
            status.starts_with("400") && page.contains("did <b>not</b> succeed") && page.contains("no token")
        );
    }

    #[test]
    fn nothing_in_the_page_comes_from_elsewhere_or_runs() {
        let why = "<script>alert(1)</script>";
        let (_, page) = Page::Failed { server: "<img src=x onerror='1'>", why }.render();
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("url("));
    }
}
