//! What can stand at the cursor of a command line: from the description of the command line and the words before it, and
//! without a look at any file. The candidates are found in `commands::candidates`.

pub(crate) mod names;
mod words;

use clap::{Arg, ArgAction, Command};
use mcp_status::ReasonCode;

pub(crate) use self::words::{bash_word, split};

/// The script of a shell that asks this program at each press of the key; none where the parser's own has to do.
pub(crate) fn script(shell: clap_complete::Shell) -> Option<&'static str> {
    match shell {
        clap_complete::Shell::Bash => Some(include_str!("completion/mcplink.bash")),
        clap_complete::Shell::Zsh => Some(include_str!("completion/mcplink.zsh")),
        clap_complete::Shell::Fish => Some(include_str!("completion/mcplink.fish")),
        _ => None,
    }
}

/// What can stand at the cursor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CandidateKind {
    /// Words that are known here, each with what it is for.
    Words(Vec<(String, String)>),
    /// Names of servers.
    Servers,
    /// Names of servers that a sign-in is kept for.
    Accounts,
    /// Secrets that are kept.
    Secrets,
    /// Live sessions, by process, and names of servers.
    Sessions,
    /// Live sessions, by process and by the names of their servers.
    Live,
    /// Servers that a host has in its files, or every host where none is named; and ours, where those are meant as well.
    HostServers { host: Option<String>, and_ours: bool },
    /// Servers that were put behind this program in the files of a host.
    Wrapped { host: String },
    /// Tools of a server.
    Tools { server: String },
    /// Names of servers, and of the tools of one: `NAME/TOOL` and `NAME.TOOL` say both.
    ServersAndTools,
    /// What comes behind the words of `call`, the first of which may say both. Which it does, the names of servers tell.
    CallWords { words: Vec<String> },
    /// Prompts of a server.
    Prompts { server: String },
    /// Arguments of a prompt that are not there yet.
    PromptArguments { server: String, prompt: String, given: Vec<String> },
    /// Names of other hosts.
    Hosts,
    /// Files and folders.
    Files,
    /// Nothing that is known here.
    Nothing,
}

/// What was found out about a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Position {
    pub(crate) wanted: CandidateKind,
    /// What stands before the word at the cursor, in the same word: `--scope=`.
    pub(crate) prefix: String,
    /// The options that decide which entries are seen, as they were typed.
    pub(crate) global: Vec<String>,
}

/// Options that decide which entries are seen.
const DECIDING: [&str; 5] = ["mcp_config", "strict_mcp_config", "project", "from", "scope"];

/// Where the cursor is, behind `words` (without the program) and within `current`. `program` is built.
pub(crate) fn position(program: &Command, words: &[String], current: &str) -> Position {
    let mut walk =
        Walk { program, verb: None, positional: Vec::new(), given: Vec::new(), global: Vec::new() };
    let mut pending: Option<&Arg> = None;
    let mut is_over = false;
    for word in words {
        if let Some(arg) = pending.take() {
            walk.note(arg, word);
        } else if is_over || !word.starts_with('-') || word == "-" {
            walk.word(word);
        } else if word == "--" {
            is_over = true;
        } else {
            pending = walk.option(word);
        }
    }
    let (wanted, prefix) = match (pending, current.split_once('=')) {
        (Some(arg), _) => (walk.of_value(arg), String::new()),
        (None, Some((name, _))) if !is_over && name.starts_with("--") => {
            let wanted = walk.find(name).map_or(CandidateKind::Nothing, |arg| walk.of_value(arg));
            (wanted, format!("{name}="))
        }
        _ if !is_over && current.starts_with('-') => (walk.options(), String::new()),
        _ => (walk.of_positional(), String::new()),
    };
    Position { wanted, prefix, global: walk.global }
}

/// What the words before the cursor said.
struct Walk<'a> {
    program: &'a Command,
    verb: Option<&'a Command>,
    /// The words of the command that are no options.
    positional: Vec<String>,
    /// The values of its options.
    given: Vec<(String, String)>,
    global: Vec<String>,
}

impl<'a> Walk<'a> {
    fn word(&mut self, word: &str) {
        match self.verb {
            None => self.verb = self.program.find_subcommand(word),
            Some(_) => self.positional.push(word.to_owned()),
        }
    }

    fn command(&self) -> &'a Command {
        self.verb.unwrap_or(self.program)
    }

    /// The option of this name, with its dashes.
    fn find(&self, name: &str) -> Option<&'a Arg> {
        let is_it = |arg: &&Arg| match name.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => name[1..].chars().next_back().is_some_and(|letter| arg.get_short() == Some(letter)),
        };
        self.command().get_arguments().find(is_it)
    }

    /// Notes an option; returned is one whose value is the next word.
    fn option(&mut self, word: &str) -> Option<&'a Arg> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let arg = self.find(name)?;
        match (takes_value(arg), value) {
            (true, None) => return Some(arg),
            (true, Some(value)) => self.note(arg, value),
            (false, _) if DECIDING.contains(&arg.get_id().as_str()) => {
                self.global.extend(arg.get_long().map(|long| format!("--{long}")));
            }
            (false, _) => {}
        }
        None
    }

    fn note(&mut self, arg: &Arg, value: &str) {
        let id = arg.get_id().as_str();
        if DECIDING.contains(&id) {
            self.global.extend(arg.get_long().map(|long| format!("--{long}={value}")));
        }
        self.given.push((id.to_owned(), value.to_owned()));
    }

    fn value_of(&self, id: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| given == id).map(|(_, value)| value.as_str())
    }

    fn server(&self) -> String {
        self.positional.first().cloned().unwrap_or_default()
    }

    /// The options of the command, those of the whole program behind them.
    fn options(&self) -> CandidateKind {
        let mut options: Vec<&Arg> =
            self.command().get_arguments().filter(|arg| !arg.is_positional()).collect();
        options.sort_by_key(|arg| arg.is_hide_set());
        let shown = |arg: &Arg| {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", arg.get_long()?), about))
        };
        CandidateKind::Words(options.into_iter().filter_map(shown).collect())
    }

    fn verbs(&self) -> CandidateKind {
        let verbs = self.program.get_subcommands().filter(|command| !command.is_hide_set());
        let shown = |command: &Command| {
            (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default())
        };
        CandidateKind::Words(verbs.map(shown).collect())
    }

    /// What `help` has a page of: commands, topics and reasons.
    fn pages(&self) -> CandidateKind {
        let CandidateKind::Words(mut words) = self.verbs() else { return CandidateKind::Nothing };
        let topic = |(word, about): (&str, &str)| (word.to_owned(), about.to_owned());
        words.extend(crate::args::TOPICS.map(topic));
        words.extend(ReasonCode::ALL.into_iter().map(|code| (code.to_string(), code.status().to_string())));
        CandidateKind::Words(words)
    }

    fn of_positional(&self) -> CandidateKind {
        let Some(verb) = self.verb else { return self.verbs() };
        let places: Vec<&Arg> = verb.get_positionals().collect();
        let Some(place) = places.get(self.positional.len()).or(places.last()) else {
            return CandidateKind::Nothing;
        };
        let is_beyond = self.positional.len() >= places.len();
        if is_beyond && !matches!(place.get_action(), ArgAction::Append) {
            return CandidateKind::Nothing;
        }
        match (verb.get_name(), place.get_id().as_str()) {
            ("call" | "tools", "name") => CandidateKind::ServersAndTools,
            ("call", "tool" | "arguments") => CandidateKind::CallWords { words: self.positional.clone() },
            ("tools", "tool") => CandidateKind::Tools { server: self.server() },
            ("prompt", "prompt") => CandidateKind::Prompts { server: self.server() },
            ("prompt", "arguments") => CandidateKind::PromptArguments {
                server: self.server(),
                prompt: self.positional.get(1).cloned().unwrap_or_default(),
                given: keys(self.positional.get(2..)),
            },
            ("complete", "argument") => match self.value_of("prompt") {
                Some(prompt) => CandidateKind::PromptArguments {
                    server: self.server(),
                    prompt: prompt.to_owned(),
                    given: Vec::new(),
                },
                None => CandidateKind::Nothing,
            },
            ("accounts" | "logout", _) => CandidateKind::Accounts,
            ("secret", "name") => CandidateKind::Secrets,
            ("stop", _) => CandidateKind::Live,
            ("logs", _) => CandidateKind::Sessions,
            ("wrap", "names") => CandidateKind::HostServers { host: Some(self.server()), and_ours: true },
            ("unwrap", "names") => CandidateKind::Wrapped { host: self.server() },
            ("man", _) => self.verbs(),
            ("help", _) => self.pages(),
            ("add" | "add-json", _) => CandidateKind::Nothing,
            _ => self.of_value(place),
        }
    }

    /// By what the value is called.
    fn of_value(&self, arg: &Arg) -> CandidateKind {
        let values: Vec<(String, String)> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| {
                let about = value.get_help().map(ToString::to_string).unwrap_or_default();
                (value.get_name().to_owned(), about)
            })
            .collect();
        if !values.is_empty() {
            return CandidateKind::Words(values);
        }
        if arg.get_id() == "names" && self.verb.is_some_and(|verb| verb.get_name() == "import") {
            let host = self.positional.first().cloned();
            return CandidateKind::HostServers { host, and_ours: false };
        }
        if arg.get_id() == "prompt" {
            return CandidateKind::Prompts { server: self.server() };
        }
        if arg.get_id() == "scope" {
            let scopes = mcp_config::Scope::ALL.map(|scope| (scope.as_str().to_owned(), String::new()));
            return CandidateKind::Words(scopes.to_vec());
        }
        let called = arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str());
        match called {
            "HOST" => CandidateKind::Hosts,
            "FILE" | "FILE|JSON" | "DIR" | "PATH" => CandidateKind::Files,
            called if called.split('|').any(|part| part == "NAME") => CandidateKind::Servers,
            _ => CandidateKind::Nothing,
        }
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// The keys of `key=value` and `key:=value`.
pub(crate) fn keys(words: Option<&[String]>) -> Vec<String> {
    let key = |word: &String| word.split_once('=').map(|(key, _)| key.trim_end_matches(':').to_owned());
    words.unwrap_or_default().iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Position {
        let mut program = crate::args::command_line();
        program.build();
        let (mut words, _) = split(line);
        let current = words.pop().unwrap_or_default();
        position(&program, &words[1..], &current)
    }

    fn words(line: &str) -> Vec<String> {
        match at(line).wanted {
            CandidateKind::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn fh_h15_each_place_of_a_line_wants_what_belongs_there() {
        let call = |words: &[&str]| CandidateKind::CallWords {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        for (line, wanted) in [
            ("mcplink status ", CandidateKind::Servers),
            ("mcplink status a b", CandidateKind::Servers),
            ("mcplink --json status ", CandidateKind::Servers),
            ("mcplink status --timeout 5s ", CandidateKind::Servers),
            ("mcplink get web ", CandidateKind::Nothing),
            ("mcplink enable ", CandidateKind::Servers),
            ("mcplink tools ", CandidateKind::ServersAndTools),
            ("mcplink tools web ", CandidateKind::Tools { server: "web".to_owned() }),
            ("mcplink call web/e", CandidateKind::ServersAndTools),
            ("mcplink call web e", call(&["web"])),
            ("mcplink call web echo text=x n:=3 ", call(&["web", "echo", "text=x", "n:=3"])),
            ("mcplink call --json web/echo text=x ", call(&["web/echo", "text=x"])),
            ("mcplink prompt wiki ", CandidateKind::Prompts { server: "wiki".into() }),
            ("mcplink complete wiki lang py --prompt ", CandidateKind::Prompts { server: "wiki".into() }),
            ("mcplink logout ", CandidateKind::Accounts),
            ("mcplink accounts ", CandidateKind::Accounts),
            ("mcplink secret delete ", CandidateKind::Secrets),
            ("mcplink stop ", CandidateKind::Live),
            ("mcplink logs ", CandidateKind::Sessions),
            ("mcplink wrap ", CandidateKind::Hosts),
            (
                "mcplink wrap cursor ",
                CandidateKind::HostServers { host: Some("cursor".into()), and_ours: true },
            ),
            (
                "mcplink import cursor --name ",
                CandidateKind::HostServers { host: Some("cursor".into()), and_ours: false },
            ),
            ("mcplink import --name ", CandidateKind::HostServers { host: None, and_ours: false }),
            ("mcplink unwrap cursor ", CandidateKind::Wrapped { host: "cursor".into() }),
            ("mcplink --from ", CandidateKind::Hosts),
            ("mcplink status --mcp-config ", CandidateKind::Files),
            ("mcplink validate ", CandidateKind::Files),
            ("mcplink add ", CandidateKind::Nothing),
        ] {
            assert_eq!(at(line).wanted, wanted, "{line}");
        }
        assert!(words("mcplink ").contains(&"reconnect".to_owned()));
        assert!(!words("mcplink ").iter().any(|word| word.starts_with("__")), "what is hidden");
        let options = words("mcplink status --");
        assert!(
            options[0] != "--json" && options.contains(&"--json".to_owned()),
            "its own first: {options:?}"
        );
        assert_eq!(words("mcplink completions z"), ["bash", "elvish", "fish", "powershell", "zsh"]);
        assert!(words("mcplink wait x --until ").contains(&"connected".to_owned()));
        assert!(words("mcplink list --scope=").contains(&"project".to_owned()));
        assert_eq!(at("mcplink list --scope=p").prefix, "--scope=");
        for page in ["status", "url", "not-found"] {
            assert!(words("mcplink help ").contains(&page.to_owned()), "{page}");
        }
    }

    #[test]
    fn fh_h15_what_decides_which_entries_are_seen_is_kept() {
        let line = "mcplink --strict-mcp-config --mcp-config=a.json -s user status --project /x --json -H y ";
        assert_eq!(
            at(line).global,
            ["--strict-mcp-config", "--mcp-config=a.json", "--scope=user", "--project=/x"]
        );
    }
}
