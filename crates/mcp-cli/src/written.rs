//! Commands of this program as they are printed: a person pastes one, and the menu runs it. It is made as text, of
//! [`mcp_text::shell_word`]s with blanks between them, and [`written`] is the one place where it becomes what the command line
//! takes: a name that begins with `-` stands behind `--`, and a value of an option that does is joined to it.

use std::sync::OnceLock;

use clap::Command;

use crate::args;

/// What the command line takes.
static PROGRAM: OnceLock<Command> = OnceLock::new();

/// `command` as it is printed: what is quoted and begins with `-` is a name or a value, and no option, which the command line
/// cannot tell from the quotes.
pub(crate) fn written(command: &str) -> String {
    let words = split(command);
    let is_ours = words.first().is_some_and(|word| word.typed == "mcplink");
    if !is_ours || !words.iter().any(Word::is_no_option) {
        return command.to_owned();
    }
    let mut own = PROGRAM.get_or_init(|| {
        let mut program = args::command_line();
        program.build();
        program
    });
    let (mut options, mut names) = (vec!["mcplink"], Vec::new());
    let mut joined = Vec::new();
    let mut rest = words[1..].iter().peekable();
    while let Some(word) = rest.next() {
        if word.typed == "--" {
        } else if word.typed.starts_with('-') && word.typed != "-" {
            joined.push(option(own, word, &mut rest));
        } else if let Some(verb) = own.find_subcommand(word.typed).filter(|_| names.is_empty()) {
            own = verb;
            options.push(word.typed);
        } else {
            names.push(word);
        }
    }
    options.extend(joined.iter().map(String::as_str));
    if names.iter().any(|name| name.is_no_option()) {
        options.push("--");
    }
    options.extend(names.iter().map(|name| name.typed));
    options.join(" ")
}

/// An option with its value.
fn option<'w>(
    own: &Command,
    word: &Word<'_>,
    rest: &mut std::iter::Peekable<impl Iterator<Item = &'w Word<'w>>>,
) -> String {
    let is_it = |arg: &&clap::Arg| match word.typed.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| word.typed[1..] == *short.encode_utf8(&mut [0; 4])),
    };
    let takes_one = own
        .get_arguments()
        .find(is_it)
        .is_some_and(|arg| arg.get_action().takes_values() && !arg.is_require_equals_set());
    match rest.next_if(|_| takes_one) {
        Some(value) => valued(word.typed, value.typed),
        None => word.typed.to_owned(),
    }
}

/// An option with its value, a word of a shell.
pub(crate) fn valued(option: &str, value: &str) -> String {
    let sign = if value.starts_with("'-") || value.starts_with("$'-") { '=' } else { ' ' };
    format!("{option}{sign}{value}")
}

/// A word of a command.
struct Word<'t> {
    /// As it stands there, quotes and all.
    typed: &'t str,
    /// What it comes to.
    text: String,
}

impl Word<'_> {
    /// Whether it looks like an option and is none: only names and values are quoted.
    fn is_no_option(&self) -> bool {
        self.text.starts_with('-') && self.text != "-" && !self.typed.starts_with('-')
    }
}

fn split(command: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = command.trim_start_matches(' ');
    while !rest.is_empty() {
        let (text, after) = word(rest);
        words.push(Word { typed: &rest[..rest.len() - after.len()], text });
        rest = after.trim_start_matches(' ');
    }
    words
}

/// Whether this option stands among these arguments, as an option.
pub(crate) fn has_option(arguments: &str, option: &str) -> bool {
    split(arguments).iter().any(|word| word.typed == option)
}

/// The words of a command that was made of [`mcp_text::shell_word`]s with blanks between them.
#[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone runs what it shows"))]
pub(crate) fn words(command: &str) -> Vec<String> {
    split(command).into_iter().map(|word| word.text).collect()
}

/// The first word, and what is behind it.
fn word(text: &str) -> (String, &str) {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next().filter(|c| *c != ' ') {
        if let Some(quoted) = rest.strip_prefix("$'") {
            rest = escaped(quoted, &mut bytes);
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            let (inside, after) = quoted.split_once('\'').unwrap_or((quoted, ""));
            bytes.extend_from_slice(inside.as_bytes());
            rest = after;
        } else {
            let plain = rest.strip_prefix('\\').filter(|after| !after.is_empty()).unwrap_or(rest);
            let c = plain.chars().next().unwrap_or(c);
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &plain[c.len_utf8()..];
        }
    }
    (String::from_utf8_lossy(&bytes).into_owned(), rest)
}

/// What is in `$'…'` up to its end (POSIX.1-2024, section 2.2.4), and what is behind it.
fn escaped<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    let mut rest = text;
    loop {
        let Some(c) = rest.chars().next() else { return rest };
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' => return rest,
            '\\' => {
                let hex = rest.strip_prefix('x').and_then(|hex| hex.get(..2));
                if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    bytes.push(byte);
                    rest = &rest[3..];
                } else if let Some(c) = rest.chars().next() {
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[c.len_utf8()..];
                }
            }
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{words, written};
    use crate::args::{Cli, Command};
    use crate::steps::Steps;
    use mcp_status::{Action, NextStep};

    /// Names that a shell, or a command line, reads as something else.
    const NAMES: [&str; 12] = [
        "-",
        "--",
        "-a 'b' -- c",
        "--help",
        "a=b",
        "--all",
        "-q",
        "--json=1",
        "-x",
        "two words",
        "it's",
        "status",
    ];

    #[test]
    fn a_command_as_it_is_printed_means_what_it_was_made_of() {
        let invocations = [
            &["mcplink", "list"][..],
            &["mcplink", "status", "--mcp-config", "a b.json", "--project=-p", "--account", "work"],
        ];
        for invocation in invocations {
            let steps = Steps::of(&Cli::try_parse_from(invocation).unwrap());
            let parsed = |command: &str| {
                let words = words(command);
                let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{command}: {error}"));
                assert_eq!(Steps::of(&cli).options(), steps.options(), "{command}");
                assert_eq!(steps.line(command), command, "once and for all");
                cli
            };
            // Each is parsed by the whole command line, which takes its time in a debug build.
            for name in &NAMES[2..4 + 2 * usize::from(invocation.len() > 2)] {
                let name = *name;
                let word = mcp_text::shell_word(name);
                for step in [
                    NextStep::Reconnect,
                    NextStep::SignIn { scopes: vec!["-s".into()] },
                    NextStep::Approve,
                    NextStep::LookAtCredentials,
                    NextStep::LookAtStatus,
                    NextStep::Wait { answers: false },
                    NextStep::ListTools,
                    NextStep::ApproveTools,
                ] {
                    let command = steps.words(&step, name).to_string();
                    let names = match parsed(&command).command {
                        Command::Reconnect(args) => args.names,
                        Command::Login(args) => {
                            assert_eq!(args.oauth_scope, ["-s"]);
                            args.names
                        }
                        Command::Approve(args) => args.names.names,
                        Command::Headers(args) => vec![args.name],
                        Command::Status(args) => args.names,
                        Command::Wait(args) => args.names,
                        Command::Tools(args) => vec![args.name],
                        Command::ApproveTools(args) => vec![args.name],
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(names, [name], "{command}");
                }
                for action in [Action::Enable, Action::Disable, Action::Reject, Action::ClearAuthentication] {
                    let command = steps.action(action, name).unwrap();
                    let names = match parsed(&command).command {
                        Command::Enable(args) | Command::Disable(args) => args.names,
                        Command::Reject(args) => args.names,
                        Command::Logout(args) => vec![args.name],
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(names, [name], "{command}");
                }
                let command = steps.line(&format!("mcplink logs {word} -f"));
                assert!(
                    matches!(parsed(&command).command, Command::Logs(args) if args.name.as_deref() == Some(name) && args.follow)
                );
                let command = steps.line(&format!("mcplink approve {word} x --yes=sha256:1"));
                assert!(matches!(parsed(&command).command, Command::Approve(args)
                    if args.names.names == [name, "x"] && args.agreed.yes == Some(Some("sha256:1".into()))));
            }
        }
        for plain in
            ["mcplink login x", "look at -x", "mcplink add x -- COMMAND -y", "mcplink call x t '-' -o -"]
        {
            assert_eq!(written(plain), plain);
        }
    }

    #[test]
    fn a_call_as_it_is_printed_means_what_it_was_made_of() {
        for tool in &NAMES[2..5] {
            let tool = *tool;
            for property in NAMES {
                let schema = serde_json::json!({
                    "required": [property, "n"],
                    "properties": { property: { "type": "string" }, "n": { "type": "integer" } },
                });
                let arguments = crate::view::signature::arguments(&schema.to_string());
                let command = written(&crate::view::signature::example("-s", tool, &arguments));
                let cli = Cli::try_parse_from(words(&command));
                let cli = cli.unwrap_or_else(|error| panic!("{command}: {error}"));
                let Command::Call(args) = cli.command else { panic!("{command}") };
                assert_eq!((&*args.name, args.tool.as_deref()), ("-s", Some(tool)), "{command}");
                let read = crate::arguments::Arguments::parse(&args.arguments, &NoInputs).unwrap();
                assert!(read.has(property) && read.has("n"), "{command}");
            }
        }
    }

    struct NoInputs;

    impl crate::arguments::Inputs for NoInputs {
        fn file(&self, path: &str) -> Result<String, String> {
            Err(path.to_owned())
        }
        fn stdin(&self) -> Result<String, String> {
            Err("stdin".to_owned())
        }
    }

    #[test]
    fn a_command_is_run_with_the_names_that_it_was_made_of() {
        let names = [
            "plain-name_1",
            "two words",
            "it's",
            "$(rm -rf)",
            "-x",
            "",
            "a\u{1b}[31mb\u{202e}",
            "github ",
            "git  hub",
            "it's\n",
            "日本",
            "\\",
            "'",
            "a\\x41",
            "x\u{200b}'\\",
            " ",
        ];
        for name in names {
            let word = mcp_text::shell_word(name);
            let command = format!("mcplink disable {word} --project {word}");
            assert_eq!(words(&command), ["mcplink", "disable", name, "--project", name], "{command}");
        }
        assert_eq!(words("  a   b "), ["a", "b"]);
        assert_eq!(words("'open"), ["open"]);
        assert_eq!(words("a\\"), ["a\\"]);
    }
}
