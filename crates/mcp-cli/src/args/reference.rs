//! `docs/commands.md` and `docs/reasons.md`, made from what the program itself says, and the command lines of every page, each
//! of which has to be one.
//!
//! `UPDATE_EXPECT=1 cargo nextest run -p mcplink --lib reference` writes the pages again; read the difference.

use std::path::{Path, PathBuf};

use clap::{Arg, Command, Parser as _};
use mcp_harness::{invocations, shown_lines};
use mcp_status::{ReasonCode, ServerStatus};

use super::examples::examples;
use super::help::{GROUPS, TOPICS, command_line, is_global, is_of_url, topic};
use super::{Cli, reason};
use crate::exit;
use crate::explanation::{cause, cure};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn compare(page: &str, wanted: &str) {
    mcp_harness::is_kept(&root().join("docs").join(page), wanted);
}

/// Words of a help text, as Markdown has them.
fn plain(text: &str) -> String {
    text.replace('<', "\\<").replace('|', "\\|")
}

fn option(arg: &Arg) -> String {
    let mut names: Vec<String> = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let values = arg.get_value_names().unwrap_or_default();
    let values = values.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(" ");
    let takes = arg.get_action().takes_values() && !values.is_empty();
    let name = match (names.is_empty(), takes) {
        (true, _) => values,
        (false, true) if arg.is_require_equals_set() => format!("{}[={values}]", names.join(", ")),
        (false, true) => format!("{} {values}", names.join(", ")),
        (false, false) => names.join(", "),
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values = arg.get_possible_values();
    let values: Vec<&str> = values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(clap::builder::PossibleValue::get_name)
        .collect();
    let values = if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) };
    format!("- `{name}`: {}{values}\n", plain(&help))
}

fn options<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let shown = args.filter(|arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"));
    shown.map(option).collect()
}

fn section(command: &mut Command) -> String {
    let verb = command.get_name().to_owned();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let mut text = format!("### {verb}\n\n{}\n\n```text\n{usage}\n```\n\n", plain(&about));
    let own = options(command.get_arguments().filter(|arg| !is_global(arg) && !is_of_url(arg)));
    if !own.is_empty() {
        text.push_str(&format!("{own}\n"));
    }
    if command.get_arguments().any(is_of_url) {
        text.push_str("Takes the [options of a URL](#options-of-a-url).\n\n");
    }
    text.push_str("```sh each\n");
    for (line, what) in examples(&verb) {
        text.push_str(&format!("{line}  # {what}\n"));
    }
    text + "```\n\n"
}

#[test]
fn the_page_of_commands_is_what_the_program_takes() {
    let mut program = command_line();
    program.build();
    let mut page = "# Commands\n\nMade from the command line of `mcplink` itself, by a test. \
                    In a terminal, `mcplink help COMMAND` says the same, and `mcplink man COMMAND` as a manual page.\n\n"
        .to_owned();
    for (title, verbs) in GROUPS {
        let verbs: Vec<String> = verbs.iter().map(|verb| format!("[{verb}](#{verb})")).collect();
        page.push_str(&format!("- {title}: {}\n", verbs.join(", ")));
    }
    page.push_str(
        "- [What every command takes](#what-every-command-takes), [options of a URL](#options-of-a-url)\n\n",
    );
    for (title, verbs) in GROUPS {
        page.push_str(&format!("## {title}\n\n"));
        for verb in *verbs {
            page.push_str(&section(program.find_subcommand_mut(verb).unwrap()));
        }
    }
    for (title, word) in [("What every command takes", TOPICS[0].0), ("Options of a URL", TOPICS[1].0)] {
        page.push_str(&format!("## {title}\n\n{}\n", options(topic(word).unwrap().get_arguments())));
    }
    compare("commands.md", &format!("{}\n", page.trim_end()));
}

#[test]
fn the_page_of_reasons_explains_each_of_them() {
    let mut page = "# Reasons\n\nMade from the code, by a test. A status has a reason wherever something can be said of it: `reason.code` in JSON, \
                    and a sentence with what was seen. The codes are part of the contract with scripts (see [json](json/README.md)). In a terminal, \
                    `mcplink help REASON` says the same; `mcplink doctor NAME` finds the one cause in your case, and \
                    [the gallery](gallery.md) has each of them brought about.\n\n"
        .to_owned();
    let statuses = [
        ServerStatus::NeedsAuth,
        ServerStatus::Failed,
        ServerStatus::Pending,
        ServerStatus::Disabled,
        ServerStatus::Connected,
    ];
    for status in statuses {
        page.push_str(&format!("## {status}\n\n"));
        for code in ReasonCode::ALL.into_iter().filter(|code| code.status() == status) {
            let exit = exit::of_status(status, Some(code)).code();
            page.push_str(&format!(
                "### {code}\n\n{} Exit code {exit}.\n\n{}\n\n",
                plain(cause(code)),
                plain(cure(code))
            ));
        }
    }
    compare("reasons.md", &format!("{}\n", page.trim_end()));
}

#[test]
fn each_reason_has_a_page_of_help_and_its_cure_names_commands() {
    for code in ReasonCode::ALL {
        assert!(topic(code.as_str()).is_none(), "{code}");
        let page = reason(code.as_str()).unwrap();
        assert!(page.starts_with(code.as_str()) && page.contains("Cure:"), "{page}");
        for words in cure(code).split('`').skip(1).step_by(2).filter(|words| words.starts_with("mcplink ")) {
            assert_is_a_command("a cure", words);
        }
    }
    assert_eq!(reason("status"), None);
}

#[track_caller]
fn assert_is_a_command(place: &str, line: &str) {
    for words in invocations(line, "mcplink") {
        if let Err(error) = Cli::try_parse_from(&words) {
            // Help is an answer.
            assert!(!error.use_stderr(), "{place}: {line}: {error}");
        }
    }
}

fn pages() -> Vec<(String, String)> {
    mcp_harness::pages(&root())
}

#[test]
fn each_command_line_of_each_page_is_one() {
    let mut seen = 0;
    for (name, page) in pages() {
        for line in shown_lines(&page) {
            let place = format!("{name}:{}", line.number);
            assert_is_a_command(&place, &line.text);
            seen += invocations(&line.text, "mcplink").len();
        }
        let bare = page.lines().position(|line| line.trim() == "```");
        let fences = page.lines().filter(|line| line.trim().starts_with("```")).count();
        assert!(
            bare.is_some() == (fences > 0) && fences % 2 == 0,
            "{name}: a block has no language, or no end"
        );
        for (at, line) in page.lines().enumerate() {
            let fence = line.trim();
            let is_shell =
                ["```bash", "```console", "```shell", "```zsh"].iter().any(|word| fence.starts_with(word));
            assert!(
                !is_shell,
                "{name}:{}: shell lines stand in blocks of `sh`, `sh each` or `sh not-run`",
                at + 1
            );
        }
    }
    assert!(seen > 100, "{seen} command lines were found");
}

/// Links inside of the project lead somewhere, headings included.
#[test]
fn each_link_of_each_page_leads_somewhere() {
    let pages = pages();
    for (name, page) in &pages {
        let folder = root().join(name).parent().unwrap().to_owned();
        for (link, line) in links(page) {
            let (file, heading) =
                link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { root().join(name) } else { folder.join(file) };
            assert!(target.exists(), "{name}:{line}: {link} leads nowhere");
            let (Some(heading), true) =
                (heading, target.extension().is_some_and(|extension| extension == "md"))
            else {
                continue;
            };
            let text = pages
                .iter()
                .find(|(name, _)| root().join(name).canonicalize().ok() == target.canonicalize().ok());
            let found = text.is_some_and(|(_, text)| {
                text.lines().any(|line| line.starts_with('#') && slug(line) == heading)
            });
            assert!(found, "{name}:{line}: {link}: there is no such heading");
        }
    }
}

/// The targets of the links of a page that are no URLs, each with its line.
fn links(page: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (at, line) in page.lines().enumerate() {
        in_block ^= line.trim().starts_with("```");
        let outside = line.split('`').step_by(2).collect::<Vec<_>>();
        // A link whose text is code is split by it: its target stands behind.
        for part in outside.iter().filter(|_| !in_block) {
            for rest in part.split("](").skip(1) {
                let link = rest.split([')', ' ']).next().unwrap_or_default();
                if !link.contains(':') && !link.is_empty() {
                    found.push((link, at + 1));
                }
            }
        }
    }
    found
}

/// What forges make of a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
