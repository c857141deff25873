//! The command line as its help shows it: what is a command's own first, examples, and one line for what all commands take.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory as _};

use super::examples::examples;
use super::{Cli, GLOBAL, url};
use crate::view::wrap::behind;

/// The commands in groups, by what a person wants.
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    ("Look", &["status", "menu", "list", "get", "doctor", "wait", "ps", "logs", "accounts", "headers"]),
    ("Recover", &["reconnect", "login", "logout", "reset", "stop", "support-bundle"]),
    ("Decide", &["approve", "approve-tools", "reject", "trust", "untrust", "enable", "disable"]),
    ("Use", &["tools", "call", "resources", "read", "prompts", "prompt", "complete", "ping", "bridge"]),
    (
        "Configure",
        &[
            "add",
            "add-json",
            "remove",
            "import",
            "wrap",
            "unwrap",
            "hosts",
            "validate",
            "paths",
            "schema",
            "secret",
            "auth-plugin",
        ],
    ),
    ("Other", &["demo", "help", "man", "completions", "version"]),
];

/// What is not a command and has a page of help.
pub(crate) const TOPICS: [(&str, &str); 2] = [
    ("options", "Options that every command takes"),
    ("url", "Options of commands that take a URL, in place of what an entry would say"),
];

/// Longer lines are not read with ease.
pub(super) const MOST_COLUMNS: usize = 100;

/// The program as far as it takes to read this line, where the line is right: the command that is typed, without help. What
/// it takes is what [`command_line`] takes; a line that it does not take is for that one to explain.
pub(crate) fn program_of(words: &[OsString]) -> Option<Command> {
    let whole = Cli::command();
    let verb = words.iter().skip(1).find_map(|word| whole.find_subcommand(word))?;
    Some(
        Command::new("mcplink")
            .disable_help_subcommand(true)
            .args(whole.get_arguments())
            .subcommand(verb.clone()),
    )
}

/// The program, with the help that people see.
pub(crate) fn command_line() -> Command {
    let columns = crate::terminal::terminal_size().0.min(MOST_COLUMNS);
    let program = Cli::command();
    // Those of every command are copied from here.
    let program = program.mut_args(|arg| if is_global(&arg) { arg.hide(true) } else { arg });
    let list = grouped(&program, columns);
    let program = program
        .help_template("{about-with-newline}\n{usage-heading} mcplink <COMMAND> [ARGS]{after-help}")
        .after_help(format!(
            "{list}mcplink help COMMAND   one command, with examples\n\
             mcplink help options   what every command takes: --json, --project, --mcp-config, ..\n\
             mcplink help REASON    what a reason such as not-found means, and what mends it\n\
             mcplink help STATUS    what a status such as needs-auth means\n\n\
             Exit codes: 0 ok, 1 a defect or a file that cannot be written, 2 usage or configuration, 3 needs authentication, \
             4 failed, 5 the server said no, 6 protocol, 7 pending, 8 mixed; 130 and 143 ended by a signal."
        ));
    let verbs: Vec<String> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    verbs.into_iter().fold(program, |program, verb| {
        program.mut_subcommand(&verb, |command| {
            let takes_url = command.get_arguments().any(is_of_url);
            // A bridge is made of them.
            let hides_url = takes_url && verb != "bridge";
            let about_url = if hides_url { "\nOptions of a URL: mcplink help url" } else { "" };
            let text = format!("{}Options of every command: mcplink help options{about_url}", shown(&verb));
            command
                .mut_args(|arg| if hides_url && is_of_url(&arg) { arg.hide(true) } else { arg })
                .after_help(text)
        })
    })
}

/// The program with everything that it takes, as a manual page has room for it.
pub(crate) fn whole_command_line() -> Command {
    let program = Cli::command();
    let verbs: Vec<String> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    verbs.into_iter().fold(program, |program, verb| {
        program.mut_subcommand(&verb, |command| {
            // A page tells what each is for, also where a short help leaves it out.
            let command = command.mut_args(|arg| arg.hide_short_help(false));
            command.after_help(shown(&verb).trim_end().to_owned())
        })
    })
}

/// The page of a topic that is not a command.
pub(crate) fn topic(word: &str) -> Option<Command> {
    let (_, about) = TOPICS.iter().find(|(topic, _)| *topic == word)?;
    let program = Cli::command();
    let page = Command::new("mcplink").about(*about).disable_help_flag(true).disable_version_flag(true);
    let page = page.help_template("{about-with-newline}\n{options}");
    let unheaded = |arg: &Arg| arg.clone().help_heading(None::<&str>).hide_short_help(false).global(false);
    Some(match word {
        "options" => page.args(program.get_arguments().filter(|arg| is_global(arg)).map(unheaded)),
        _ => {
            let bridge = program.find_subcommand("bridge")?;
            page.args(bridge.get_arguments().filter(|arg| is_of_url(arg)).map(unheaded))
        }
    })
}

pub(super) fn is_global(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(GLOBAL)
}

pub(super) fn is_of_url(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(url::HEADING)
}

/// The examples of a command, with an empty line behind them.
fn shown(verb: &str) -> String {
    let examples = examples(verb);
    if examples.is_empty() {
        return String::new();
    }
    let lines = examples.iter().map(|(line, what)| format!("  {what}:\n    {line}\n"));
    format!("Examples:\n{}\n", lines.collect::<String>())
}

/// Each group with its commands, and what each is for.
fn grouped(program: &Command, columns: usize) -> String {
    let width = program.get_subcommands().map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, verbs) in GROUPS {
        text.push_str(&format!("{title}:\n"));
        for verb in *verbs {
            let Some(command) = program.find_subcommand(verb) else { continue };
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let lines = behind(&format!("  {verb:width$}  "), &about, Some(columns));
            // A blank at the edge would be wrapped once more.
            lines.lines().for_each(|line| text.push_str(&format!("{}\n", line.trim_end())));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h15_each_command_stands_in_one_group() {
        let program = command_line();
        program.clone().debug_assert();
        whole_command_line().debug_assert();
        for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
            let verb = command.get_name();
            let groups = GROUPS.iter().filter(|(_, verbs)| verbs.contains(&verb)).count();
            assert_eq!(groups, 1, "{verb}");
        }
    }

    #[test]
    fn fh_h15_a_manual_page_says_what_each_option_is_for() {
        let program = whole_command_line();
        for command in program.get_subcommands().chain([&program]).filter(|command| !command.is_hide_set()) {
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let is_told = arg.get_long_help().is_some() && !arg.is_hide_long_help_set()
                    || arg.get_help().is_some() && !arg.is_hide_short_help_set();
                assert!(is_told, "{}: {}", command.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn fh_h15_under_a_heading_stands_what_it_is_about_and_nothing_else() {
        for command in command_line().get_subcommands() {
            for arg in command.get_arguments().filter(|arg| !is_global(arg) && !is_of_url(arg)) {
                let of_registry =
                    ["registry", "search", "inputs", "choose", "yes"].contains(&arg.get_id().as_str());
                let expected =
                    (command.get_name() == "add" && of_registry).then_some("Options of a registry");
                assert_eq!(arg.get_help_heading(), expected, "{}: {}", command.get_name(), arg.get_id());
            }
        }
    }

    #[test]
    fn fh_h15_what_every_command_takes_is_behind_one_line() {
        let mut program = command_line();
        program.build();
        for command in program.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
            let verb = command.get_name().to_owned();
            let help = command.render_long_help().to_string();
            assert!(
                !help.contains("--strict-mcp-config") && !help.contains("--non-interactive"),
                "{verb}: {help}"
            );
            assert_eq!(help.contains("--client-metadata-url"), verb == "bridge", "{verb}: {help}");
            assert!(help.contains("mcplink help options"), "{verb}: {help}");
            let of = |part: &str| help.find(part);
            assert!(of("Options:").is_some() && of("Options:") < of("Examples:"), "{verb}: {help}");
        }
        for (word, option) in [("options", "--strict-mcp-config"), ("url", "--client-metadata-url")] {
            let page = topic(word).unwrap().render_long_help().to_string();
            assert!(page.contains(option), "{page}");
        }
        assert!(topic("status").is_none());
    }
}
