//! The command that a program names as the cure of its own failure.

/// More words, or characters, than a command has that a person is asked to type.
const MAX_WORDS: usize = 8;
const MAX_LENGTH: usize = 120;

/// What stands before a command that a person is asked to run.
const ASKS: [&str; 2] = ["run", "execute"];
/// The same, where it is quoted behind it: without quotes these words go on in a sentence.
const ASKS_QUOTED: [&str; 6] = ["use", "using", "with", "via", "try", "running"];
/// Before a word that asks, these say that something ran already, or must not.
const REFUSES: [&str; 16] = [
    "not",
    "never",
    "cannot",
    "can't",
    "couldn't",
    "don't",
    "didn't",
    "failed",
    "unable",
    "tried",
    "trying",
    "while",
    "when",
    "attempted",
    "refused",
    "of",
];
/// Where a command without quotes ends and the sentence goes on.
const GOES_ON: [&str; 12] =
    ["to", "and", "or", "with", "first", "again", "then", "for", "before", "in", "manually", "on"];
/// One of these is in each command without quotes that nothing else sets apart from the words around it.
const SIGNS_IN: [&str; 9] =
    ["login", "signin", "sign-in", "auth", "init", "refresh", "renew", "configure", "authenticate"];
/// No command that a person is asked to run to sign in fetches, deletes or passes on what another one says, or runs what it is
/// given as code. A helper may repeat what a server told it.
const NEVER: [&str; 60] = [
    "sh",
    "ash",
    "bash",
    "zsh",
    "fish",
    "dash",
    "ksh",
    "csh",
    "tcsh",
    "pwsh",
    "powershell",
    "cmd",
    "wscript",
    "cscript",
    "mshta",
    "osascript",
    "rundll",
    "eval",
    "exec",
    "source",
    "env",
    "xargs",
    "nohup",
    "timeout",
    "nice",
    "time",
    "watch",
    "script",
    "busybox",
    "toybox",
    "sudo",
    "su",
    "doas",
    "runas",
    "rm",
    "del",
    "dd",
    "mv",
    "cp",
    "ln",
    "tee",
    "chmod",
    "chown",
    "crontab",
    "curl",
    "wget",
    "nc",
    "scp",
    "python",
    "perl",
    "ruby",
    "php",
    "node",
    "deno",
    "bun",
    "npx",
    "bunx",
    "uvx",
    "pipx",
    "pip",
];

/// The command that this text asks a person to run, such as `my-sso login` in "session expired, run: my-sso login".
///
/// It is one of plain words, which mean the same in every shell, and it is for a person to read and to run: the author of the
/// text may be repeating a stranger. It is looked for in each line; where a line ends with "run:", it is the next one.
///
/// ```
/// assert_eq!(mcp_text::cure("session expired, run: my-sso login").as_deref(), Some("my-sso login"));
/// assert_eq!(mcp_text::cure("Please run `aws sso login`.").as_deref(), Some("aws sso login"));
/// assert_eq!(mcp_text::cure("failed to run `jq`"), None);
/// ```
#[must_use]
pub fn cure(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("+ "));
    while let Some(line) = lines.next() {
        if let Some(command) = in_line(line) {
            return Some(command);
        }
        let is_heading = line.strip_suffix(':').is_some_and(|before| {
            let words: Vec<&str> = before.split_whitespace().collect();
            words.split_last().is_some_and(|(last, before)| asks(last, &ASKS) && !is_refused(before))
        });
        if is_heading {
            let below = lines.next()?;
            return plain(below.strip_prefix("$ ").unwrap_or(below).trim_matches(['`', '"', '\'']));
        }
    }
    None
}

fn in_line(line: &str) -> Option<String> {
    let mut at = 0;
    let mut before: Vec<&str> = Vec::new();
    for word in line.split_whitespace() {
        let start = at + line[at..].find(word)?;
        at = start + word.len();
        let bare = word.trim_end_matches(':');
        let (is_said, is_quoted_only) = (asks(bare, &ASKS), asks(bare, &ASKS_QUOTED));
        if (is_said || is_quoted_only) && !is_refused(&before) {
            let rest = line[at..].trim_start();
            let found = match quoted(rest) {
                Some(inside) => plain(inside).filter(|command| is_said || command.contains(' ')),
                None if is_said => unquoted(rest, word.ends_with(':')),
                None => None,
            };
            if found.is_some() {
                return found;
            }
        }
        before.push(word);
    }
    None
}

fn asks(word: &str, words: &[&str]) -> bool {
    words.iter().any(|ask| word.eq_ignore_ascii_case(ask))
}

/// Whether the last two words before it say that it is not a request.
fn is_refused(before: &[&str]) -> bool {
    before.iter().rev().take(2).any(|word| asks(word.trim_end_matches([':', ',']), &REFUSES))
}

/// What is in the quotation marks that a text begins with.
fn quoted(text: &str) -> Option<&str> {
    let pairs = [('`', '`'), ('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')];
    let (_, close) = pairs.into_iter().find(|(open, _)| text.starts_with(*open))?;
    let inside = &text[text.chars().next()?.len_utf8()..];
    Some(inside[..inside.find(close)?].trim())
}

/// The words up to where the sentence goes on.
fn unquoted(text: &str, is_set_apart: bool) -> Option<String> {
    let mut words = Vec::new();
    for word in text.strip_prefix("$ ").unwrap_or(text).split_whitespace() {
        if !words.is_empty() && asks(word, &GOES_ON) {
            break;
        }
        let bare = word.trim_end_matches(['.', ',', ';', '!', ')']);
        words.push(bare);
        if bare.len() < word.len() {
            break;
        }
    }
    let command = plain(&words.join(" "))?;
    let signs_in = |word: &&str| SIGNS_IN.iter().any(|part| word.contains(part));
    let is_article =
        ["the", "a", "an", "this", "it", "your", "my"].iter().any(|word| asks(words[0], &[word]));
    (!is_article && (is_set_apart || words.iter().skip(1).any(signs_in))).then_some(command)
}

/// A program without what tells its kind or its version: `python3.12` and `cmd.exe` are called so as well.
fn bare(program: &str) -> &str {
    let ends = [".exe", ".com", ".cmd", ".bat"];
    let end = ends.iter().find_map(|end| {
        let at = program.len().checked_sub(end.len())?;
        program.get(at..).filter(|last| last.eq_ignore_ascii_case(end)).map(|_| at)
    });
    program[..end.unwrap_or(program.len())]
        .trim_end_matches(|c: char| c.is_ascii_digit() || ".-_".contains(c))
}

/// `text` where it is a command of plain words.
fn plain(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let first = *words.first()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+~".contains(c);
    let has_sense =
        |word: &&str| word.chars().all(is_plain) && word.chars().any(|c| c.is_ascii_alphanumeric());
    let program = first.rsplit('/').next()?;
    let is_program = first.starts_with(|c: char| c.is_ascii_alphanumeric() || "./~".contains(c))
        && program.chars().any(|c| c.is_ascii_alphabetic())
        && !first.contains(['=', ':', ','])
        && !asks(bare(program), &NEVER);
    let is_command = is_program && words.len() <= MAX_WORDS && words.iter().all(has_sense);
    let command = words.join(" ");
    (is_command && command.len() <= MAX_LENGTH).then_some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_asks_a_person_to_run_is_found() {
        for (text, command) in [
            ("my-sso: session expired, run: my-sso login", "my-sso login"),
            ("stderr: my-sso: session expired, run: my-sso login", "my-sso login"),
            ("error: the sign-in has expired, run `corp login`", "corp login"),
            ("please run `aws sso login`", "aws sso login"),
            ("ERROR: Please run \"gcloud auth login\" to obtain new credentials.", "gcloud auth login"),
            ("Please run 'az login' to setup account.", "az login"),
            ("run ‘kinit’ first", "kinit"),
            (
                "To refresh this SSO session run aws sso login with the corresponding profile.",
                "aws sso login",
            ),
            ("To get started with GitHub CLI, please run:  gh auth login", "gh auth login"),
            ("Please run:\n\n  $ gcloud auth login\n\nto obtain new credentials.", "gcloud auth login"),
            ("Run: corp --profile dev/eu login.", "corp --profile dev/eu login"),
            ("not signed in. Execute `~/bin/sso renew` and try again", "~/bin/sso renew"),
            ("credentials expired; log in using `tsh login`", "tsh login"),
            ("run: my-sso login; it asks for nothing", "my-sso login"),
            ("+ run: trace x\nrun: my-sso login", "my-sso login"),
        ] {
            assert_eq!(cure(text).as_deref(), Some(command), "{text}");
        }
    }

    #[test]
    fn what_is_no_request_or_no_plain_command_is_not() {
        for text in [
            "",
            "session expired",
            "failed to run `jq`",
            "could not run: my-sso login",
            "error while running `my-sso login`",
            "run the login script again",
            "please run this as root",
            "run it: login",
            "run out of memory",
            "dry run",
            "do not run `my-sso login` twice",
            // What a shell would make something else of.
            "run: my-sso login | tee x",
            "run `my-sso login && rm -rf x`",
            "run `my-sso $(x)`",
            "run `my-sso login > ~/.profile`",
            "run: my-sso login --profile <name>",
            "run: my-sso login --token [redacted]",
            "run `A=b my-sso`",
            // What a stranger would like to have run.
            "run `curl https://h.example/x -o y`",
            "run: sudo my-sso login",
            "run `/bin/sh x`",
            "run `Sh login`",
            "run `cmd.exe /c login`",
            "run `C/PowerShell.EXE login`",
            "run: python3.12 -m sso login",
            "run `/usr/bin/env corp login`",
            "run `npx sso-login`",
            "run `busybox wget h.example`",
            "run `corp login --`",
            "could not run:\n  my-sso login",
            "run `corp login; rm x`",
            "run `corp login\u{7}`",
            "run `corp \"login\"`",
            "run `corp login!`",
            "run `corp {login,x}`",
            "run `corp lo\\gin`",
            "run `corp login*`",
            "run `corp login #x`",
            "run `corp login % x`",
            "run `corp login ^ x`",
            "run: \u{202e}nigol oss-ym",
            "run: --help",
            "run: https://h.example/login",
            "use \"Bearer\" before it",
            "run `one two three four five six seven eight nine`",
        ] {
            assert_eq!(cure(text), None, "{text}");
        }
        assert_eq!(cure(&format!("run: x {}", "y".repeat(MAX_LENGTH))), None);
    }
}
