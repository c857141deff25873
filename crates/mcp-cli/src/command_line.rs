//! From the words that were typed to a command: help and version are answers.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use crate::args::{self, Cli};
use crate::commands::version::VERSION;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::mistake::{mistake, unknown};

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
        tell(&error, as_json);
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
            tell(&error, false);
            error.exit
        }
        _ => ExitStatus::Success,
    }
}

/// What was asked for is not where it was asked to be.
pub(crate) fn unwritten(why: &str) -> CliError {
    CliError::unwritten("output-not-written", "the output could not be written")
        .why(why)
        .next("make room for the output, or write it elsewhere")
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
    tell(&problem, as_json);
    ExitStatus::Usage
}

/// Tells an error before there is an output: wrapped where a person looks at it.
pub(crate) fn tell(error: &CliError, as_json: bool) {
    let columns = || std::io::stderr().is_terminal().then(|| crate::terminal::terminal_size().0);
    let text = if as_json { error.to_json() } else { error.to_lines(columns()) };
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
