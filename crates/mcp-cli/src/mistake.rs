//! A command line that is none, in three lines of ours: what is wrong with it, what helps or how the command is written, and
//! where its help is. The parser's own words are for people who know it.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args;
use crate::error::CliError;

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

/// Verbs that other programs have, and the command that does it here, or why there is none.
const MEANT: [(&[&str], &str); 17] = [
    (&["rm", "delete", "del", "uninstall", "unregister"], "remove"),
    (&["install", "new", "create", "register"], "add"),
    (&["list-tools", "tool", "inspect", "describe"], "tools"),
    (&["invoke", "exec", "call-tool"], "call"),
    (&["list-servers", "servers"], "list"),
    (&["test", "check", "diagnose", "debug"], "doctor"),
    (&["signin", "sign-in", "authorize", "authenticate"], "login"),
    (&["signout", "sign-out", "deauthorize"], "logout"),
    (&["connect"], "status"),
    (&["refresh", "reload", "retry"], "reconnect"),
    (&["kill"], "stop"),
    (&["proxy"], "bridge"),
    (&["log"], "logs"),
    (&["tokens", "credentials"], "accounts"),
    (&["whoami"], "accounts"),
    (
        &["run", "start", "up"],
        "a server is started, and connected to, when it is needed: by status, tools, call, or a bridge",
    ),
    (
        &["config", "configure", "edit", "set", "settings"],
        "add, remove, enable and disable change the configuration, and paths says where its files are",
    ),
];

/// What the parser says of `words`.
pub(crate) fn mistake(error: &clap::Error, words: &[OsString]) -> CliError {
    let verb = verb(words);
    let command = verb.as_deref().unwrap_or("mcplink");
    let about = |message: String| {
        let help = verb
            .as_ref()
            .map_or_else(|| "mcplink --help".to_owned(), |verb| format!("mcplink {verb} --help"));
        CliError::usage("usage", message).next(help)
    };
    let usage = texts(error, ContextKind::Usage).join("\n");
    // What is written otherwise is told with how the command is written.
    let told = |message: String| match usage.is_empty() {
        true => about(message),
        false => about(message).why(format!("it is written {}", forms(&usage))),
    };
    let argument = texts(error, ContextKind::InvalidArg).join(" ");
    match error.kind() {
        ErrorKind::InvalidSubcommand => unknown(&texts(error, ContextKind::InvalidSubcommand).join(" ")),
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let option = whole(&argument, words);
            let error = told(format!("{command} has no option {option}"));
            match better(&option, command) {
                Some(why) => error.why(why),
                None => error,
            }
        }
        ErrorKind::UnknownArgument => told(format!("{argument:?} is more than {command} takes")),
        ErrorKind::MissingRequiredArgument => {
            let mut lacking = texts(error, ContextKind::InvalidArg);
            lacking.sort_by_key(|word| usage.find(first(word)));
            let needs: Vec<String> = lacking.iter().map(|word| alternatives(word)).collect();
            let error = told(format!("{command} needs {}", needs.join(", and ")));
            // Without a name it is the list of them that a person needs; people who write out a bridge know its name.
            let lacks_name = lacking.first().is_some_and(|first| first == "<NAME|URL>");
            if lacks_name && command != "bridge" { error.next("mcplink list") } else { error }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = texts(error, ContextKind::InvalidValue).join(" ");
            if value.is_empty() {
                return about(format!("{} needs a value behind it: {}", name(&argument), plain(&argument)));
            }
            let known = texts(error, ContextKind::ValidValue);
            let error_of_value = about(format!("{value:?} is not a value of {}", name(&argument)));
            let near = mcp_config::nearest(&value, known.iter().map(String::as_str));
            match (near, error.source()) {
                (Some(near), _) => error_of_value.why(format!("did you mean {near:?}?")),
                (None, _) if !known.is_empty() => error_of_value.why(format!("it takes {}", either(&known))),
                (None, Some(why)) => error_of_value.why(of_number(&why.to_string())),
                (None, None) => error_of_value,
            }
        }
        ErrorKind::ArgumentConflict => {
            let prior: Vec<String> =
                texts(error, ContextKind::PriorArg).iter().map(|prior| name(prior)).collect();
            let argument = name(&argument);
            told(match prior.as_slice() {
                [one] if *one == argument => format!("{argument} is given more than once"),
                [] => format!("{argument} does not go with the rest of the line"),
                prior => format!("{argument} does not go together with {}", either(prior)),
            })
        }
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            told(format!("{} has the wrong number of values: {}", name(&argument), plain(&argument)))
        }
        ErrorKind::NoEquals => told(format!("{} takes its value behind =", name(&argument))),
        ErrorKind::InvalidUtf8 => told("a word of the line is not UTF-8".to_owned()),
        // What this program itself has against a line.
        _ => {
            let said = error.render().to_string();
            let first = said.split("\n\n").next().unwrap_or_default();
            let words: Vec<&str> = first.trim_start_matches("error: ").split_whitespace().collect();
            told(words.join(" "))
        }
    }
}

/// What the parser has to say of one kind, as it is written.
fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        _ => Vec::new(),
    }
}

/// How a command is written: each of its forms, the name of the program and of the command once.
fn forms(usage: &str) -> String {
    let form = |line: &str| plain(&line.replace("Usage:", "").replace("[OPTIONS] ", ""));
    let mut lines = usage.lines().map(form).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let head: String = first.split_inclusive(' ').take(2).collect();
    let more: Vec<String> = lines.map(|line| line.strip_prefix(&head).unwrap_or(&line).to_owned()).collect();
    match more.split_last() {
        None => first,
        Some((last, [])) => format!("{first}, or {last}"),
        Some((last, between)) => format!("{first}, {}, or {last}", between.join(", ")),
    }
}

/// A place of a line without the marks of the parser: `<NAME|URL>...` is `NAME|URL..`.
fn plain(place: &str) -> String {
    place.replace(['<', '>'], "").replace("...", "..").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a place of a line is called: an option without its value.
fn name(place: &str) -> String {
    let plain = plain(place);
    let plain = plain.trim_start_matches('[').trim_end_matches("..").trim_end_matches(']');
    match plain.starts_with('-') {
        true => plain.split([' ', '=']).next().unwrap_or_default().to_owned(),
        false => plain.to_owned(),
    }
}

/// The first word of a place, by which it is found in the usage.
fn first(place: &str) -> &str {
    let place = place.trim_start_matches('<');
    place.split(['|', '>', '.', ' ']).next().unwrap_or(place)
}

/// `<NAME|URL|--all>` is `a NAME, a URL or --all`.
fn alternatives(place: &str) -> String {
    let with_article = |word: &str| match word.chars().next() {
        Some('-') => word.to_owned(),
        Some('A' | 'E' | 'I' | 'O') => format!("an {word}"),
        _ => format!("a {word}"),
    };
    let place = plain(place);
    either(&place.trim_end_matches("..").split('|').map(with_article).collect::<Vec<_>>())
}

fn either(words: &[String]) -> String {
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}

/// Numbers are read by the standard library, whose words are no sentences about a value.
fn of_number(why: &str) -> String {
    match why {
        "invalid digit found in string" => "it is not a number".to_owned(),
        "number too large to fit in target type" => "it is too large".to_owned(),
        why => why.replace("..=", " to "),
    }
}

/// The word that was typed: one of several letters behind one dash is told of by its first.
fn whole(option: &str, words: &[OsString]) -> String {
    let option = option.split([' ', '=']).next().unwrap_or_default();
    let is_it =
        |word: &&str| !option.starts_with("--") && word.starts_with(option) && !word.starts_with("--");
    words.iter().filter_map(|word| word.to_str()).find(is_it).unwrap_or(option).to_owned()
}

/// What may have been meant by an option that `command` has not.
fn better(option: &str, command: &str) -> Option<String> {
    let field = FIELDS.iter().find(|(named, _)| command == "add" && *named == option);
    if let Some((_, field)) = field {
        return Some(format!("it is a field of the entry: write `{field}` there"));
    }
    if let Some(near) = option_near(option, command) {
        if near == option {
            return Some("an option stands before --".to_owned());
        }
        return Some(format!("did you mean {near:?}?"));
    }
    // `-x` is an option that there is not, and `-my-server` may be a name.
    (option.len() > 2 && !option.starts_with("--")).then(|| match command {
        "add" => format!("an entry of this name is written with: mcplink add-json -- {option} JSON"),
        _ => "a name that begins with - stands behind --".to_owned(),
    })
}

/// The command among these words.
fn verb(words: &[OsString]) -> Option<String> {
    let program = args::command_line();
    let typed = words.iter().skip(1).filter_map(|word| word.to_str());
    let command = typed.into_iter().find_map(|word| program.find_subcommand(word))?;
    Some(command.get_name().to_owned())
}

/// The option of `command` which is nearest to `word`.
fn option_near(word: &str, command: &str) -> Option<String> {
    let word = word.strip_prefix("--").filter(|word| word.len() > 1)?;
    let mut program = args::command_line();
    program.build();
    let command = program.find_subcommand(command).unwrap_or(&program);
    let options: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
    mcp_config::nearest(word, options).map(|near| format!("--{near}"))
}

/// A word that is not a command: the one that it is near to, if there is one.
pub(crate) fn unknown(word: &str) -> CliError {
    let program = args::command_line();
    let names =
        program.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name);
    let names = names.chain(args::TOPICS.iter().map(|(topic, _)| *topic));
    let error = CliError::usage("usage", format!("there is no command {word:?}"));
    if let Some((_, meant)) = MEANT.iter().find(|(typed, _)| typed.contains(&&*word.to_ascii_lowercase())) {
        return match program_has(&program, meant) {
            true => error.why(format!("{meant:?} does that")).next(format!("mcplink {meant} --help")),
            false => error.why(*meant).next("mcplink --help"),
        };
    }
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

/// Whether this is the name of a command.
fn program_has(program: &clap::Command, word: &str) -> bool {
    program.find_subcommand(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let error = args::command_line().try_get_matches_from(&words).unwrap_err();
        mistake(&error, &words).to_text()
    }

    #[test]
    fn fh_h15_verbs_of_other_programs_lead_to_what_does_that_here() {
        let program = args::command_line();
        let mut seen = Vec::new();
        for (typed, meant) in MEANT {
            for word in typed {
                assert!(!program_has(&program, word) && !seen.contains(word), "{word}");
                seen.push(*word);
                let text = said(&format!("mcplink {word}"));
                assert!(text.contains(meant) && !text.contains("did you mean"), "{word}: {text}");
            }
        }
        assert!(said("mcplink rm").contains("why: \"remove\" does that\n  next: mcplink remove --help"));
        assert!(said("mcplink config").contains("next: mcplink --help"));
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
            let text = said(line);
            match near {
                Some(near) => assert!(text.contains(&format!("did you mean {near}?")), "{line}: {text}"),
                None => assert!(!text.contains("mean") && !text.contains("similar"), "{line}: {text}"),
            }
            assert!(text.lines().count() <= 3 && text.contains("next: mcplink"), "{line}: {text}");
        }
    }

    #[test]
    fn fh_h14_no_line_is_refused_in_the_words_of_the_parser() {
        for (line, expected) in [
            (
                "mcplink call",
                "error: call needs a NAME or a URL\n  why: it is written mcplink call NAME|URL [TOOL] [ARGS]..\n  next: mcplink list\n",
            ),
            (
                "mcplink wrap",
                "error: wrap needs a HOST, and a NAME or --all\n  why: it is written mcplink wrap HOST NAME..|--all\n  \
                 next: mcplink wrap --help\n",
            ),
            (
                "mcplink read x",
                "error: read needs a URI\n  why: it is written mcplink read NAME|URL URI\n  next: mcplink read --help\n",
            ),
            ("mcplink reconnect", "error: reconnect needs a NAME, a URL, --all or --failed\n"),
            ("mcplink complete x y", "error: complete needs --prompt PROMPT or --resource TEMPLATE\n"),
            ("mcplink doctor x --mermaid", "error: doctor needs --trace\n"),
            (
                "mcplink add",
                "error: add needs a NAME, a URL or a REGISTRY-NAME\n  why: it is written mcplink add [NAME] URL, \
                 NAME -- COMMAND [ARGS].., [NAME] REGISTRY-NAME[@VERSION], or --search WORD\n",
            ),
            (
                "mcplink add --proxy http://h https://h",
                "  why: it is a field of the entry: write `proxy` there\n",
            ),
            ("mcplink add -dash https://h", "error: add has no option -dash\n  why: an entry of this name"),
            ("mcplink status -dash", "  why: a name that begins with - stands behind --\n"),
            (
                "mcplink status -x",
                "error: status has no option -x\n  why: it is written mcplink status [NAME|URL]..\n",
            ),
            ("mcplink add-json -- -x {} --dry-run", "  why: an option stands before --\n"),
            ("mcplink list extra", "error: \"extra\" is more than list takes\n"),
            ("mcplink status --timeout", "error: --timeout needs a value behind it: --timeout D\n"),
            (
                "mcplink status --timeout 5x",
                "error: \"5x\" is not a value of --timeout\n  why: unknown unit \"x\"; write 500ms, 5s, 2m or 1h\n",
            ),
            (
                "mcplink list --color blah",
                "error: \"blah\" is not a value of --color\n  why: it takes auto, always or never\n",
            ),
            ("mcplink add https://h --callback-port 70000", "  why: 70000 is not in 1 to 65535\n"),
            ("mcplink add https://h --callback-port x", "  why: it is not a number\n"),
            ("mcplink status --watch --offline", "error: --watch does not go together with --offline\n"),
            ("mcplink status --timeout 1s --timeout 2s", "error: --timeout is given more than once\n"),
            ("mcplink --mcp-config", "  next: mcplink --help\n"),
        ] {
            let text = said(line);
            assert!(text.contains(expected), "{line}: {text}");
            let theirs = ["argument", "<", "tip:", "possible values", "..="];
            assert!(theirs.iter().all(|word| !text.contains(word)), "{line}: {text}");
            assert!(text.lines().count() <= 3, "{line}: {text}");
        }
    }
}
