//! Links of a terminal (OSC 8): each URL, and each file with a line, leads to itself where a person clicks on it.
//!
//! The text stays as it is, and as wide: lines are laid out before, and a word is never broken up. What is shown is where it
//! leads, so a text of a stranger can name no other place than the one that is read.

use std::borrow::Cow;

use url::Url;

/// Terminals that are known to take such links by `TERM_PROGRAM`.
const PROGRAMS: [&str; 8] =
    ["iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "WarpTerminal"];
/// The same by how `TERM` begins.
const TERMS: [&str; 6] = ["xterm-kitty", "alacritty", "foot", "xterm-ghostty", "contour", "wezterm"];
/// The first VTE that shows them as they are meant (0.50).
const FIRST_VTE: u32 = 5000;

/// Whether the terminal that has these variables takes links. Inside a multiplexer that is unknown.
///
/// `FORCE_HYPERLINK`, which other programs know as well, decides alone: 0 is no.
pub(crate) fn is_known<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> bool {
    if let Some(forced) = variable("FORCE_HYPERLINK") {
        return forced != "0";
    }
    let term = variable("TERM").unwrap_or_default();
    let is_multiplexed = ["TMUX", "STY", "ZELLIJ"].iter().any(|name| variable(name).is_some())
        || term.starts_with("screen")
        || term.starts_with("tmux");
    if term == "dumb" || is_multiplexed {
        return false;
    }
    let is_named = variable("TERM_PROGRAM").is_some_and(|program| PROGRAMS.contains(&program));
    let is_vte =
        variable("VTE_VERSION").and_then(|version| version.parse().ok()).is_some_and(|v: u32| v >= FIRST_VTE);
    let is_other = ["WT_SESSION", "KITTY_WINDOW_ID", "DOMTERM"].iter().any(|name| variable(name).is_some());
    is_named || is_vte || is_other || TERMS.iter().any(|start| term.starts_with(start))
}

/// `text` with its URLs and places in files as links.
pub(crate) fn linked(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(next) = text[at..].find(['h', '/']).map(|found| at + found) {
        let (before, rest) = text.split_at(next);
        if before.chars().next_back().is_some_and(is_part) && !ends_with_paint(before) {
            at = next + 1;
            continue;
        }
        let shown = rest.find(|c: char| !is_part(c)).map_or(rest, |end| &rest[..end]);
        let shown = shown.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
        match target(shown) {
            Some(target) => {
                out.push_str(&text[done..next]);
                out.push_str(&format!("\u{1b}]8;;{target}\u{1b}\\{shown}\u{1b}]8;;\u{1b}\\"));
                at = next + shown.len();
                done = at;
            }
            None => at = next + 1,
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Whether a word that is a URL or a place goes on with it.
fn is_part(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"\"<>`()[]{}|^".contains(c)
}

/// Whether a sequence of ours that colours text ends here.
fn ends_with_paint(text: &str) -> bool {
    let Some(code) = text.strip_suffix('m') else { return false };
    code.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with("\u{1b}[")
}

/// Where it leads.
fn target(shown: &str) -> Option<String> {
    // A part of one leads elsewhere.
    if shown.contains('…') {
        return None;
    }
    if shown.starts_with("http://") || shown.starts_with("https://") {
        return Url::parse(shown).ok().map(String::from);
    }
    let (file, line) = shown.rsplit_once(':')?;
    let is_line = !line.is_empty() && line.chars().all(|c| c.is_ascii_digit());
    // `FILE:LINE:COLUMN`.
    let file = match file.rsplit_once(':') {
        Some((file, line)) if !line.is_empty() && line.chars().all(|c| c.is_ascii_digit()) => file,
        _ => file,
    };
    (is_line && file.starts_with('/') && !file.starts_with("//"))
        .then(|| Url::from_file_path(file).ok())?
        .map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(variables: &[(&str, &'static str)]) -> bool {
        is_known(|name| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| *value))
    }

    #[test]
    fn links_are_for_terminals_that_are_known_to_take_them() {
        for variables in [
            &[("TERM_PROGRAM", "vscode")][..],
            &[("TERM", "xterm-256color"), ("VTE_VERSION", "7006")],
            &[("TERM", "xterm-kitty")],
            &[("WT_SESSION", "x")],
            &[("FORCE_HYPERLINK", "1"), ("TMUX", "x")],
        ] {
            assert!(known(variables), "{variables:?}");
        }
        for variables in [
            &[][..],
            &[("TERM", "xterm-256color")],
            &[("TERM", "dumb"), ("TERM_PROGRAM", "vscode")],
            &[("TERM_PROGRAM", "Apple_Terminal")],
            &[("TERM", "xterm"), ("VTE_VERSION", "4205")],
            &[("TERM", "screen-256color"), ("WT_SESSION", "x")],
            &[("TMUX", "x"), ("TERM_PROGRAM", "iTerm.app")],
            &[("FORCE_HYPERLINK", "0"), ("TERM_PROGRAM", "vscode")],
        ] {
            assert!(!known(variables), "{variables:?}");
        }
    }

    /// What would end a link, or the sequence that begins it, is in none: a stranger's text is made fit to be shown before, and
    /// this does not rely on that.
    #[test]
    fn no_control_character_gets_into_a_link() {
        for control in (0..0x20).chain([0x7f, 0x9b, 0x9c, 0x9d]).filter_map(char::from_u32) {
            for text in [
                format!("http://h/{control}x"),
                format!("/a{control}b/c.json:3"),
                format!("http://h{control}/x"),
            ] {
                let linked = linked(&text);
                for piece in linked.split("\u{1b}]8;;").skip(1).step_by(2) {
                    let (target, shown) = piece.split_once("\u{1b}\\").unwrap();
                    let is_clean = |text: &str| !text.contains(char::is_control);
                    assert!(is_clean(target) && is_clean(shown), "{control:?}: {linked:?}");
                }
            }
        }
        // Neither a user that looks like a host, nor what a browser would run, is a place that is linked.
        for text in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x:1"] {
            assert_eq!(linked(text), text);
        }
    }

    /// The text that is seen, and where each link leads.
    fn apart(text: &str) -> (String, Vec<String>) {
        let linked = linked(text);
        let (mut seen, mut targets) = (String::new(), Vec::new());
        let mut pieces = linked.split("\u{1b}]8;;");
        seen.push_str(pieces.next().unwrap());
        for piece in pieces {
            let (target, rest) = piece.split_once("\u{1b}\\").unwrap();
            if !target.is_empty() {
                targets.push(target.to_owned());
            }
            seen.push_str(rest);
        }
        (seen, targets)
    }

    #[cfg(unix)]
    #[test]
    fn what_is_shown_is_where_it_leads_and_the_text_stays() {
        for (text, expected) in [
            ("s  http://127.0.0.1:99/mcp\n", &["http://127.0.0.1:99/mcp"][..]),
            ("\u{1b}[2m/home/me/.claude.json:5 (user)\u{1b}[0m", &["file:///home/me/.claude.json"]),
            ("defined in  /home/jörg/.claude.json:18 (x)", &["file:///home/j%C3%B6rg/.claude.json"]),
            ("at /a/b.json:3:14: unexpected", &["file:///a/b.json"]),
            ("see https://h.example/a?b=c, or (http://x/).", &["https://h.example/a?b=c", "http://x/"]),
            ("`http://h/mcp`: refused", &["http://h/mcp"]),
            // Neither a file with a line nor whole.
            (
                "/mcp in /etc/hosts, half/way:3, http://, https://h.exam…, https://h.example/pa…, //h/x:3, ftp://h/x:1",
                &[],
            ),
            ("xhttp://h/ the path /:x", &[]),
            ("検索 https://例え.jp/", &["https://xn--r8jz45g.jp/"]),
        ] {
            let (seen, targets) = apart(text);
            assert_eq!(seen, text);
            assert_eq!(targets, expected, "{text}");
        }
    }
}
