//! What of a helper's stderr may be shown, and what of its output where that is not headers but the reason why.
//!
//! A message that says why minting failed is worth a lot, and a failing script prints secrets (`set -x`, a `curl -v`, a
//! dump of what it received). What a text may hold is decided by [`Secrets`]; here is what is known to be secret.

use mcp_text::{Secrets, is_credential_name, sentence, telling};

use super::run::{Invocation, Output};
use super::said::ErrorObject;

/// How much of the output is searched for values, in bytes: a whole page that was printed by mistake need not be. What
/// looks like a token is hidden anyway.
const MAX_SEARCHED: usize = 64 * 1024;
/// Shorter words of the output are not taken for secrets: they occur in any text.
const MIN_PRINTED: usize = 6;
/// Fewer words of an output are no sentence, and may be a name and what belongs to it.
const MIN_SENTENCE: usize = 3;

/// The presentable part of what a run printed to stderr.
pub(super) struct StderrExcerpt {
    telling: Option<String>,
    tail: String,
}

impl StderrExcerpt {
    pub(super) fn new(output: &Output, invocation: &Invocation) -> Self {
        Self::of(&output.stderr.head(), &output.stderr.tail(), &known_secrets(&output.stdout, invocation))
    }

    /// The same of a command whose whole output is a secret, plain words as well.
    #[cfg(feature = "oauth")]
    pub(super) fn of_secret(output: &Output, invocation: &Invocation) -> Self {
        let mut secrets = known_secrets(&output.stdout, invocation);
        let stdout = String::from_utf8_lossy(&output.stdout[..output.stdout.len().min(MAX_SEARCHED)]);
        secrets.extend(stdout.lines().map(str::trim));
        Self::of(&output.stderr.head(), &output.stderr.tail(), &secrets)
    }

    fn of(head: &str, tail: &str, secrets: &Secrets) -> Self {
        let lines = |text: &str| {
            let lines: Vec<String> = secrets.lines(text).iter().map(|line| sentence(line)).collect();
            lines.join("\n")
        };
        let (head, tail) = (lines(head), lines(tail));
        // Of a long text both ends are at hand, and what went wrong may stand in either. Where no form of it is known, a
        // script says first what it is about to give up for, after what it is warned of.
        let by_form = telling::by_form(&head).or_else(|| telling::by_form(&tail));
        let by_place = || head.lines().find(|line| !is_aside(line)).or_else(|| head.lines().next());
        let telling = by_form.map(|telling| sentence(&telling.to_text()));
        Self { telling: telling.or_else(|| by_place().map(str::to_owned)), tail }
    }

    /// The line that most likely says what went wrong.
    pub(super) fn telling_line(&self) -> Option<&str> {
        self.telling.as_deref()
    }

    /// The command that it asks a person to run.
    pub(super) fn cure(&self) -> Option<String> {
        self.telling_line().and_then(mcp_text::cure).or_else(|| mcp_text::cure(&self.tail))
    }

    pub(super) fn tail(&self) -> &str {
        &self.tail
    }
}

/// What of an error may be shown that was printed in place of headers: its first line, without what is secret.
pub(super) fn shown(said: &ErrorObject, invocation: &Invocation) -> String {
    // The words of an error are not secret, unlike those of headers.
    let secrets = known_secrets(&[], invocation);
    let lines = secrets.lines(&said.0);
    lines.iter().map(|line| sentence(line)).find(|line| !line.trim().is_empty()).unwrap_or_default()
}

/// What a helper that failed printed where headers belong, where that says why: the telling line, or one that names the command to run.
///
/// Security: it is where credentials belong, so only what is known to be said of a failure is shown, and of that the plain words
/// alone: a token, a password or a document is none.
pub(super) fn reason_in_output(stdout: &[u8], invocation: &Invocation) -> Option<String> {
    let text = std::str::from_utf8(stdout).ok().filter(|text| text.len() <= MAX_SEARCHED)?;
    let is_document = text.contains(['{', '<']) || text.trim_start().starts_with('[');
    if is_document {
        return None;
    }
    let mut secrets = known_secrets(&[], invocation);
    let words = text.split(|c: char| c.is_whitespace() || "\"'`()[],:;".contains(c));
    let words = words.map(|word| word.trim_end_matches(['.', '!', '?']));
    secrets.extend(words.filter(|word| word.len() >= MIN_PRINTED && !is_plain(word)));
    let lines: Vec<String> = secrets.lines(text).iter().map(|line| sentence(line)).collect();
    let is_sentence = |line: &str| line.split_whitespace().count() >= MIN_SENTENCE;
    let by_form = telling::by_form(&lines.join("\n")).map(|telling| sentence(&telling.to_text()));
    by_form
        .filter(|line| is_sentence(line))
        .or_else(|| lines.into_iter().find(|line| is_sentence(line) && mcp_text::cure(line).is_some()))
}

/// Whether a word is one of a language, or the name of a program.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() || c == '-')
}

/// Whether a line does not tell what went wrong: blank, a warning, the trace of a shell (`set -x`), progress.
fn is_aside(line: &str) -> bool {
    let line = line.trim();
    let lower = line.to_lowercase();
    let words = ["warn", "deprecat", "notice", "info:", "debug", "experimental"];
    line.is_empty() || line.starts_with("+ ") || words.iter().any(|word| lower.contains(word))
}

/// What must not be shown wherever it appears: the values of credential-like variables and what is secret in URLs of
/// others, what in the command itself looks like a credential, and every word of the output that is not a plain word.
fn known_secrets(stdout: &[u8], invocation: &Invocation) -> Secrets {
    let mut known = Secrets::default();
    for (name, value) in &invocation.env {
        let value = value.to_string_lossy();
        if is_credential_name(&name.to_string_lossy()) {
            known.insert(&value)
        } else {
            known.insert_url(&value)
        }
    }
    known.insert_url(invocation.url.as_str());
    known.insert_found_in(&invocation.command);
    let stdout = String::from_utf8_lossy(&stdout[..stdout.len().min(MAX_SEARCHED)]);
    let printed = stdout
        .split(|c: char| c.is_whitespace() || "\"'{}[],:".contains(c))
        .filter(|word| !(word.is_ascii() && is_plain(word)))
        .filter(|word| word.len() >= MIN_PRINTED);
    known.extend(printed);
    known
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn presentable(line: &str, known: &[&str]) -> String {
        StderrExcerpt::of(line, line, &known.iter().copied().collect()).tail
    }

    #[test]
    fn fa_a80_what_is_said_of_a_failure_in_the_place_of_headers_is_told_and_no_secret_there() {
        let of = |stdout: &str| {
            reason_in_output(stdout.as_bytes(), &invocation("mint", &[("API_KEY", "hunter-two")]))
        };
        for (stdout, expected) in [
            ("You are not logged in. Run my-sso login\n", "You are not logged in. Run my-sso login"),
            ("Checking ..\nPlease run `my-sso login`.\n", "Please run `my-sso login`."),
            ("Your session has expired.\n", "Your session has expired."),
            ("mint 1.2\nerror: the vault is sealed\n", "error: the vault is sealed"),
            ("error: no access with hunter-two\n", "error: no access with [redacted]"),
            ("error: the token s3cr3t-v4lue was refused\n", "error: the token [redacted] was refused"),
        ] {
            assert_eq!(of(stdout).as_deref(), Some(expected), "{stdout}");
        }
        for stdout in [
            "",
            "correct horse battery staple\n",
            "Bearer canary\n",
            "canary-token-of-mine\n",
            "{\"Authorization\": \"Bearer canary\"}\nerror: it was not refreshed\n",
            "<html>error: canary is not known</html>",
            "[\"error: canary is not known\"]",
            "error: canary\n",
        ] {
            assert_eq!(of(stdout), None, "{stdout}");
        }
    }

    fn invocation(command: &str, env: &[(&str, &str)]) -> Invocation {
        let env: BTreeMap<_, _> = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Invocation {
            command: command.to_owned(),
            cwd: "/".into(),
            env,
            withheld: Vec::new(),
            server: "s".to_owned(),
            url: "https://h/mcp?k=canary-query".parse().unwrap(),
        }
    }

    #[test]
    fn what_a_person_needs_survives() {
        for line in [
            "vault: permission denied",
            "sh: 1: get-token: not found",
            "curl: (6) Could not resolve host: sso.example.com",
            "/usr/local/bin/mint: line 3: jq: command not found",
            "error: the sign-in has expired, run `corp login`",
        ] {
            assert_eq!(presentable(line, &[]), line);
        }
    }

    #[test]
    fn what_is_or_looks_secret_does_not() {
        let known = ["known canary value", "canary-7"];
        for (line, expected) in [
            ("got known canary value!", "got [redacted]!"),
            ("+ export X=canary-7", "+ export X=[redacted]"),
            ("> Authorization: Bearer canary", "> Authorization: [redacted]"),
            ("refused Bearer canary today", "refused Bearer [redacted] today"),
            ("GITHUB_TOKEN='canary'", "GITHUB_TOKEN='[redacted]'"),
            ("got 0a1b2c3d4e5f60718293", "got [redacted]"),
        ] {
            assert_eq!(presentable(line, &known), expected);
        }
    }

    #[test]
    fn s_n12_passwords_get_through_neither_bare_nor_named() {
        for line in ["rejected hunter2-S3cret", "curl -u admin:canary https://h", "the passphrase is canary"]
        {
            let shown = presentable(line, &[]);
            assert!(shown.contains("[redacted]") && !shown.contains("canary"), "{shown}");
        }
        let key = presentable("-----BEGIN EC PRIVATE KEY-----\ncanary\ncanary", &[]);
        assert_eq!(key, "-----BEGIN EC PRIVATE KEY-----\n[redacted]");
    }

    #[test]
    fn a_line_cannot_play_tricks_with_a_terminal() {
        assert_eq!(presentable("\u{1b}[31mred\u{1b}[0m\u{7} \u{202e}x\ty\u{1b}]0;t\u{7}", &[]), "red x y");
        let long = presentable(&"\u{e9} ".repeat(500), &[]);
        assert!(long.ends_with('\u{2026}') && mcp_text::width(&long) <= 300, "{long}");
    }

    #[test]
    fn s_n12_what_a_run_knows_is_hidden_in_what_it_says() {
        let env = [
            ("MY_TOKEN", "hunter-two"),
            ("HOME", "/home/me"),
            ("DATABASE_URL", "postgres://u:canary-db@h/x"),
        ];
        let invocation = invocation("corp-mint --password canary-arg | jq .", &env);
        let stdout = b"{\"Authorization\":\"Bearer s3cr3t-v4lue\",\"X-Team\":\"platform\"}";
        let known = known_secrets(stdout, &invocation);
        for gone in ["s3cr3t-v4lue", "hunter-two", "canary-db", "canary-arg", "canary-query", "hunter%2Dtwo"]
        {
            assert_eq!(known.hide(&format!("no: {gone}")), "no: [redacted]");
        }
        assert_eq!(known.hide("no /home/me, platform"), "no /home/me, platform");
    }
}
