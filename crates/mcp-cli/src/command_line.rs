//! From the words that were typed to a command: help and version are answers, and of what is no command line is said what is
//! wrong, what it is near to, and where its help is.

use std::ffi::OsString;
use std::io::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, FromArgMatches as _};

use crate::args::{self, Cli};
use crate::commands::version::VERSION;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::printed_step::PrintedStep;

/// The command; how the process ends where there is none.
pub(crate) fn parse(words: &[OsString]) -> Result<Cli, ExitStatus> {
    // Hosts and scripts ask for nothing more often, and no command line has to be built for it.
    if let [_, word] = words
        && (word == "--version" || word == "-V")
    {
        return Err(answer(writeln!(std::io::stdout(), "{VERSION}")));
    }
    let parsed = try_parse(words).or_else(|error| without_command(words, error));
    match parsed {
        Ok(Cli { command: args::Command::Help(asked), global }) => {
            Err(help(asked.about.first().map(String::as_str), words, global.json))
        }
        Ok(cli) => Ok(seen_as(cli)),
        Err(error) => Err(refuse(&error, words)),
    }
}

/// What completes a line sees the entries that the line would.
fn seen_as(mut cli: Cli) -> Cli {
    if let args::Command::Candidates(asked) = &cli.command {
        let words = ["mcplink".to_owned()].into_iter().chain(asked.deciding()).chain(["list".to_owned()]);
        let words: Vec<OsString> = words.map(OsString::from).collect();
        if let Ok(line) = try_parse(&words) {
            cli.global = line.global;
        }
        (cli.global.non_interactive, cli.global.quiet) = (true, true);
    }
    cli
}

/// A line that is right is read without the help of fifty commands, which costs more than all else that is done before a request.
fn try_parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let parsed = args::program_of(words).and_then(|program| program.try_get_matches_from(words).ok());
    if let Some(cli) = parsed.and_then(|matches| Cli::from_arg_matches(&matches).ok()) {
        return Ok(cli);
    }
    let mut program = args::command_line();
    let matches = program.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut program))
}

/// No command is `status`: who only types the name wants to know how things are.
fn without_command(words: &[OsString], error: clap::Error) -> Result<Cli, clap::Error> {
    let is_missing = matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    );
    let with_status: Vec<OsString> = words.iter().cloned().chain(["status".into()]).collect();
    if is_missing { try_parse(&with_status).map_err(|_| error) } else { Err(error) }
}

/// `help`, `help COMMAND`, which is `COMMAND --help`, `help TOPIC`, and `help REASON`.
fn help(about: Option<&str>, words: &[OsString], as_json: bool) -> ExitStatus {
    if let Some(mut page) = about.and_then(args::topic) {
        return answer(page.print_long_help());
    }
    let mut program = args::command_line();
    let reason = about.and_then(args::reason);
    let print = |page: &str| answer(std::io::stdout().write_all(page.as_bytes()));
    if let Some(word) = about.filter(|word| program.find_subcommand(word).is_none()) {
        if let Some(page) = reason {
            return print(&page);
        }
        let error = unknown(word);
        eprint(&if as_json { error.to_json() } else { error.to_text() });
        return ExitStatus::Usage;
    }
    let program_name = words.first().cloned().unwrap_or_else(|| "mcplink".into());
    let asked = [program_name].into_iter().chain(about.map(OsString::from)).chain(["--help".into()]);
    match program.try_get_matches_from_mut(asked) {
        // A command and a reason may have one name.
        Err(error) => match (answer(error.print()), reason) {
            (ExitStatus::Success, Some(page)) => print(&format!("\nThe reason {page}")),
            (ended, _) => ended,
        },
        // A command without help does not occur.
        Ok(_) => ExitStatus::Success,
    }
}

/// How a process ends that has printed an answer.
fn answer(printed: std::io::Result<()>) -> ExitStatus {
    match printed.and_then(|()| std::io::stdout().flush()) {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            let error = unwritten(&mcp_files::reason(&why));
            eprint(&error.to_text());
            error.exit
        }
        _ => ExitStatus::Success,
    }
}

/// What was asked for is not where it was asked to be.
pub(crate) fn unwritten(why: &str) -> CliError {
    CliError::unwritten("output-not-written", "the output could not be written")
        .why(why)
        .next("make room for it, or write it elsewhere")
}

/// Help and version are answers; everything else is a usage error.
fn refuse(error: &clap::Error, words: &[OsString]) -> ExitStatus {
    if !error.use_stderr() {
        return answer(error.print());
    }
    let as_json = words.iter().any(|word| word == "--json");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !as_json {
        drop(error.print());
        return ExitStatus::Usage;
    }
    let problem = mistake(error, words);
    eprint(&if as_json { problem.to_json() } else { problem.to_text() });
    ExitStatus::Usage
}

/// Options of a URL that `add` has not, and the fields of an entry that say the same.
const FIELDS: [(&str, &str); 10] = [
    ("--proxy", "proxy"),
    ("--ca", "tls.ca"),
    ("--cert", "tls.cert"),
    ("--key", "tls.key"),
    ("--server-name", "tls.serverName"),
    ("--no-cookies", "cookies"),
    ("--ipv4", "ipv4"),
    ("--header-file", "headersFile"),
    ("--protocol", "protocol"),
    ("--keep-alive", "keepAliveMs"),
];

/// What is wrong, with what it is near to, if there is something: the parser of the command line names several that are far.
fn mistake(error: &clap::Error, words: &[OsString]) -> CliError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if let (ErrorKind::InvalidSubcommand, Some(word)) = (error.kind(), text(ContextKind::InvalidSubcommand)) {
        return unknown(word);
    }
    let problem = CliError::of_arguments(&error.render().to_string());
    let near = match error.kind() {
        ErrorKind::UnknownArgument => text(ContextKind::InvalidArg).and_then(|word| option_near(word, words)),
        ErrorKind::InvalidValue => {
            match (text(ContextKind::InvalidValue), error.get(ContextKind::ValidValue)) {
                (Some(word), Some(ContextValue::Strings(values))) => {
                    mcp_config::nearest(word, values.iter().map(String::as_str)).map(str::to_owned)
                }
                _ => None,
            }
        }
        _ => None,
    };
    let problem = match near {
        Some(near) => problem.why(format!("did you mean {near:?}?")),
        None => problem,
    };
    let field = match (error.kind(), text(ContextKind::InvalidArg), verb(words).as_deref()) {
        (ErrorKind::UnknownArgument, Some(word), Some("add")) => {
            FIELDS.into_iter().find(|(option, _)| *option == word.split('=').next().unwrap_or_default())
        }
        _ => None,
    };
    let problem = match field {
        Some((_, field)) => problem.why(format!("it is a field of the entry: write `{field}` there")),
        None => problem,
    };
    // Without a name it is the list of them that a person needs; people who write out a bridge know its name.
    let lacks_name = error.kind() == ErrorKind::MissingRequiredArgument
        && matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::Strings(lacking))
            if lacking.first().is_some_and(|first| first == "<NAME|URL>"));
    match (problem.next.as_ref().map(PrintedStep::as_str), verb(words)) {
        (_, Some(verb)) if lacks_name && verb != "bridge" => problem.next("mcplink list"),
        // The help of a command says more than that of the program.
        (Some("mcplink --help"), Some(verb)) => problem.next(format!("mcplink {verb} --help")),
        _ => problem,
    }
}

/// The command among these words.
fn verb(words: &[OsString]) -> Option<String> {
    let program = args::command_line();
    let typed = words.iter().skip(1).filter_map(|word| word.to_str());
    let command = typed.into_iter().find_map(|word| program.find_subcommand(word))?;
    Some(command.get_name().to_owned())
}

/// The option of the command that was typed which is nearest to `word`.
fn option_near(word: &str, words: &[OsString]) -> Option<String> {
    let word = word.split('=').next().filter(|word| word.starts_with("--") && word.len() > 3)?;
    let mut program = args::command_line();
    program.build();
    let command = verb(words).and_then(|verb| program.find_subcommand(verb)).unwrap_or(&program);
    let options: Vec<String> =
        command.get_arguments().filter_map(clap::Arg::get_long).map(|long| format!("--{long}")).collect();
    mcp_config::nearest(&word[2..], options.iter().map(|option| &option[2..])).map(|near| format!("--{near}"))
}

/// A word that is no command: the one that it is near to, if there is one.
pub(crate) fn unknown(word: &str) -> CliError {
    let program = args::command_line();
    let names = program.get_subcommands().filter(|command| !command.is_hide_set()).map(Command::get_name);
    let names = names.chain(args::TOPICS.iter().map(|(topic, _)| *topic));
    let error = CliError::usage("usage", format!("there is no command {word:?}"));
    let near = mcp_config::nearest(word, names);
    // Reasons are explained under their names.
    let reasons = mcp_status::ReasonCode::ALL.iter().map(|code| code.as_str());
    if near.is_none()
        && let Some(reason) = mcp_config::nearest(word, reasons)
    {
        return error.why(format!("did you mean {reason:?}?")).next(format!("mcplink help {reason}"));
    }
    match near {
        Some(near) => {
            let is_topic = args::TOPICS.iter().any(|(topic, _)| *topic == near);
            let help =
                if is_topic { format!("mcplink help {near}") } else { format!("mcplink {near} --help") };
            error.why(format!("did you mean {near:?}?")).next(help)
        }
        None => error.next("mcplink --help"),
    }
}

/// Writes to stderr before there is an output.
pub(crate) fn eprint(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        mistake(&try_parse(&words).unwrap_err(), &words).to_text()
    }

    /// Read by the one command that is typed, a line means what it means to the whole program.
    #[test]
    fn a_line_is_read_by_its_command_as_by_the_whole_program() {
        let lines = args::command_line();
        let verbs = lines.get_subcommands().map(clap::Command::get_name);
        let examples =
            verbs.flat_map(args::examples).flat_map(|(line, _)| mcp_harness::invocations(line, "mcplink"));
        let typed = [
            "mcplink --project list status",
            "mcplink --json status list --project call",
            "mcplink call status tool list=get --timeout 3s",
            "mcplink wait call --until connected -v -v",
            "mcplink help status",
        ];
        let typed = typed.iter().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let mut read = 0;
        for words in examples.chain(typed) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let whole = args::command_line().try_get_matches_from(&words).unwrap();
            let whole = Cli::from_arg_matches(&whole).unwrap();
            assert_eq!(format!("{:?}", try_parse(&words).unwrap()), format!("{whole:?}"), "{words:?}");
            read += 1;
        }
        assert!(read > 60, "{read}");
        // The value of an option that is called as a command is no reason to take the line for wrong.
        let words = ["mcplink", "--project", "list", "status"].map(OsString::from);
        assert!(args::program_of(&words).unwrap().try_get_matches_from(&words).is_err());
        assert!(matches!(try_parse(&words).unwrap().command, args::Command::Status(_)));
    }

    #[test]
    fn fh_h14_what_is_near_is_suggested_and_what_is_far_is_not() {
        for (line, near) in [
            ("mcplink stauts", Some("\"status\"")),
            ("mcplink help-me", None),
            ("mcplink frobnicate", None),
            ("mcplink status --offlin", Some("\"--offline\"")),
            ("mcplink status --of-line=1", Some("\"--offline\"")),
            ("mcplink login x --no-brwoser", Some("\"--no-browser\"")),
            ("mcplink status --strict-mcp-confg", Some("\"--strict-mcp-config\"")),
            ("mcplink status --frobnicate", None),
            ("mcplink status -x", None),
            ("mcplink completions zhs", Some("\"zsh\"")),
            ("mcplink completions tcsh", None),
            ("mcplink wait x --until conected", Some("\"connected\"")),
            ("mcplink list --color nevr", Some("\"never\"")),
        ] {
            let text = explained(line);
            match near {
                Some(near) => assert!(text.contains(&format!("did you mean {near}?")), "{line}: {text}"),
                None => assert!(!text.contains("mean") && !text.contains("similar"), "{line}: {text}"),
            }
            assert!(text.lines().count() <= 3 && text.contains("next: mcplink"), "{line}: {text}");
        }
    }
}
