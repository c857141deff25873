//! Commands that mean something elsewhere: in a shell, in another host's file, on another system.

use mcp_status::SpawnCause;

use super::{Case, Diagnosis, PathKind, System, because};
use crate::endpoint::StdioEndpoint;

/// Programs that are known by several names.
const RELATIVES: [&[&str]; 5] = [
    &["python", "python3", "py"],
    &["pip", "pip3"],
    &["node", "nodejs"],
    &["docker", "podman"],
    &["docker-compose", "docker"],
];

/// What people install to get a program.
const PACKAGES: [(&str, &[&str]); 8] = [
    ("Node.js", &["node", "npm", "npx", "corepack"]),
    ("uv", &["uv", "uvx"]),
    ("Bun", &["bun", "bunx"]),
    ("Deno", &["deno"]),
    ("Docker", &["docker"]),
    ("pipx", &["pipx"]),
    (".NET", &["dotnet", "dnx"]),
    ("Java", &["java"]),
];

/// Where programs are on people's machines although PATH of a program started from a desktop does not say so. `*` stands
/// for the folder of a version.
const PLACES: [&str; 18] = [
    "~/.local/bin",
    "~/bin",
    "~/.cargo/bin",
    "~/.bun/bin",
    "~/.deno/bin",
    "~/.volta/bin",
    "~/.pyenv/shims",
    "~/.asdf/shims",
    "~/.local/share/mise/shims",
    "~/go/bin",
    "~/.dotnet",
    "~/.nvm/versions/node/*/bin",
    "~/.local/share/fnm/node-versions/*/installation/bin",
    "~/.nix-profile/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/snap/bin",
];

/// The same on Windows.
const PLACES_OF_WINDOWS: [&str; 6] = [
    "~\\.local\\bin",
    "~\\.cargo\\bin",
    "~\\.bun\\bin",
    "~\\AppData\\Roaming\\npm",
    "~\\AppData\\Local\\Microsoft\\WindowsApps",
    "C:\\Program Files\\nodejs",
];

/// The endings of programs there, in the order that matters here: the first is found without being written.
const ENDINGS_OF_WINDOWS: [&str; 4] = [".exe", ".cmd", ".bat", ".ps1"];

/// Programs that expand `~` and variables by themselves.
const SHELLS: [&str; 9] = ["sh", "bash", "zsh", "dash", "fish", "ksh", "cmd", "powershell", "pwsh"];

/// Words that are a shell's own, and no programs.
const SHELL_WORDS: [&str; 12] =
    ["cd", "exec", "source", ".", "export", "eval", "alias", "set", "unset", "if", "for", "while"];

/// Those that start nothing.
const SETTING_WORDS: [&str; 7] = ["cd", "source", ".", "export", "alias", "set", "unset"];

/// What makes a line one for a shell.
const OPERATORS: [&str; 8] = ["&&", "||", ";", "|", "<", ">", "$(", "`"];

/// How a place is written that a person is to fill in.
const PLACEHOLDERS: [&str; 4] = ["/path/to/", "path\\to\\", "/absolute/path", "/your/path/"];

/// What a word processor makes of quotation marks.
const CURLY: [char; 4] = ['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];

/// Programs that run a server in a container.
const CONTAINERS: [&str; 3] = ["docker", "podman", "nerdctl"];

pub(super) fn places(system: System) -> &'static [&'static str] {
    match system {
        System::Unix => &PLACES,
        System::Windows => &PLACES_OF_WINDOWS,
    }
}

pub(super) fn relatives(command: &str) -> impl Iterator<Item = &'static str> {
    let row = RELATIVES.iter().filter(move |row| row.contains(&command));
    row.flat_map(|row| row.iter().copied()).filter(move |name| *name != command)
}

pub(super) fn package_of(command: &str) -> Option<&'static str> {
    PACKAGES.iter().find(|(_, programs)| programs.contains(&command)).map(|(package, _)| *package)
}

/// What in `text` a shell or another host would have replaced, and how it is written here.
pub(super) fn unexpanded(text: &str) -> Option<String> {
    if text == "~" || text.starts_with("~/") || text.starts_with("~\\") {
        return Some("`~` is not expanded; write `${HOME}`".to_owned());
    }
    if let Some((user, _)) = text.strip_prefix('~').and_then(|rest| rest.split_once('/'))
        && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    {
        return Some(format!("`~{user}` is not expanded; write the path of that folder"));
    }
    let name = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    };
    if let Some((_, rest)) = text.split_once("${") {
        let inside = rest.split('}').next().unwrap_or_default();
        let variable = inside.rsplit([':', '.']).next().unwrap_or_default();
        let same = name(variable) == inside;
        return Some(match same {
            true => format!("the variable `{inside}` is not set here"),
            false => format!("`${{{inside}}}` is not expanded"),
        });
    }
    if let Some((_, rest)) = text.split_once("$env:").or_else(|| text.split_once("{env:")) {
        return Some(format!("write a variable as `${{{}}}`", name(rest)));
    }
    if let Some((_, rest)) = text.split_once('$') {
        let name = name(rest);
        if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(format!("`${name}` is not expanded; write `${{{name}}}`"));
        }
    }
    let mut percents = text.split('%');
    if let (Some(_), Some(name), Some(_)) = (percents.next(), percents.next(), percents.next())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return Some(format!("`%{name}%` is not expanded; write `${{{name}}}`"));
    }
    None
}

/// What in `text` was to be filled in, as a person reads it.
fn placeholder(text: &str) -> Option<&str> {
    let between = |open: &str, close: &str| {
        let begin = text.find(open)?;
        let end = begin + open.len() + text[begin + open.len()..].find(close)?;
        let inner = &text[begin + open.len()..end];
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
        (!inner.trim().is_empty() && inner.chars().all(is_word)).then(|| &text[begin..end + close.len()])
    };
    let path = || PLACEHOLDERS.iter().any(|part| text.to_ascii_lowercase().contains(part)).then_some(text);
    between("<", ">").or_else(|| between("{{", "}}")).or_else(path)
}

/// What a word processor, or a page, has made of an argument.
fn retouched(argument: &str) -> Option<String> {
    let dashes = ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}'];
    if let Some(rest) = argument.strip_prefix(dashes) {
        let rest = rest.trim_start_matches(dashes);
        let dash = if rest.chars().count() > 1 { "--" } else { "-" };
        return Some(format!("the dash is none of a command line; write `{dash}{rest}`"));
    }
    argument.contains(CURLY).then(|| "the quotes are none of a command line; write it without".to_owned())
}

/// What is most likely wrong with the arguments of `endpoint`. Only a guess, for a command that ended before it spoke.
pub(crate) fn hint(endpoint: &StdioEndpoint) -> Option<String> {
    let command = endpoint.command.to_string_lossy();
    let program = command.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".exe");
    // Text for a shell is expanded by it; a file that it is to run is not.
    let is_text = |argument: &std::ffi::OsString| {
        let argument = argument.to_string_lossy().to_ascii_lowercase();
        argument == "/c" || argument.strip_prefix('-').is_some_and(|letters| letters.contains('c'))
    };
    if SHELLS.contains(&program) && endpoint.args.iter().any(is_text) {
        return None;
    }
    if CONTAINERS.contains(&program)
        && let Some(hint) = container(program, endpoint)
    {
        return Some(hint);
    }
    let whole = |argument: &str| argument.starts_with(['~', '$', '%']) || argument.contains("=~/");
    let mut arguments = endpoint.args.iter().map(|argument| argument.to_string_lossy());
    arguments.find_map(|argument| {
        let value = argument.rsplit('=').next().filter(|_| argument.starts_with('-')).unwrap_or(&argument);
        let filled_in = || placeholder(value).map(|what| format!("`{what}` was never filled in"));
        let expanded = whole(value).then(|| unexpanded(value)).flatten();
        let hint = expanded.or_else(|| retouched(&argument)).or_else(filled_in)?;
        let text = format!("in its argument `{argument}`, {hint}");
        Some(endpoint.secrets.hide(&text).into_owned())
    })
}

/// A container whose standard input is not held open, or that was sent to the background.
fn container(program: &str, endpoint: &StdioEndpoint) -> Option<String> {
    let args: Vec<_> = endpoint.args.iter().map(|arg| arg.to_string_lossy()).collect();
    let options = args.iter().skip_while(|arg| *arg != "run").skip(1).filter(|arg| arg.starts_with('-'));
    let has = |letter: char, word: &str| {
        options.clone().any(|option| {
            *option == word
                || (!option.starts_with("--")
                    && option[1..].chars().all(char::is_alphabetic)
                    && option.contains(letter))
        })
    };
    if !args.iter().any(|arg| arg == "run") {
        None
    } else if has('d', "--detach") {
        Some(format!("`{program} run` with `-d` leaves the server in the background: write `-i` instead"))
    } else if !has('i', "--interactive") {
        Some(format!("`{program} run` needs `-i`, or the server finds its standard input closed"))
    } else {
        None
    }
}

impl Case<'_> {
    /// What is wrong with how it is written, where that is why it was not found.
    pub(super) fn spelling(&self) -> Option<Diagnosis> {
        let command = &*self.command;
        if command.trim().is_empty() {
            return Some(because(SpawnCause::Misspelt, "`command` is empty"));
        }
        if command.starts_with("http://") || command.starts_with("https://") {
            let text = "`command` is a URL; a remote server has \"type\": \"http\" and `url` in place of it";
            return Some(because(SpawnCause::Misspelt, text));
        }
        if let Some(what) = placeholder(command) {
            return Some(because(SpawnCause::Misspelt, format!("`{what}` was never filled in")));
        }
        self.foreign_system()
            .or_else(|| self.for_a_shell())
            .or_else(|| self.in_quotes())
            .or_else(|| self.command_line())
            .or_else(|| {
                unexpanded(command)
                    .map(|hint| because(SpawnCause::Unexpanded, format!("`{command}`: {hint}")))
            })
    }

    fn in_quotes(&self) -> Option<Diagnosis> {
        let command = &*self.command;
        let is_around =
            |c: char| CURLY.contains(&c) || matches!(c, '"' | '\'' | ' ' | '\t' | '\n' | '\r' | '\u{a0}');
        let bare = command.trim_matches(is_around);
        if bare == command {
            return None;
        }
        let is_quoted = command.contains(['"', '\'']) || command.contains(CURLY);
        let what = if is_quoted { "quotes" } else { "blanks" };
        let text = format!("the {what} around `{bare}` are part of the name; write it without");
        // More than one word is told about as a whole.
        (!bare.contains(char::is_whitespace) || what == "quotes" && !bare.contains(['"', '\'']))
            .then(|| because(SpawnCause::Misspelt, text))
    }

    /// What only a shell understands: its own words, what stands between commands, and variables before one.
    fn for_a_shell(&self) -> Option<Diagnosis> {
        let line = self.command.trim();
        let listed =
            |words: &[String]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let because = |text: String| Some(because(SpawnCause::CommandLine, text));
        let through_sh = || {
            // What a shell was to act on is not a word to it in quotes.
            let word = |arg: &String| if is_operator(arg) { arg.clone() } else { mcp_text::shell_word(arg) };
            let whole: Vec<String> =
                std::iter::once(line.to_owned()).chain(self.args.iter().map(word)).collect();
            format!("\"command\": \"sh\", \"args\": [\"-c\", {:?}]", whole.join(" "))
        };
        let words: Vec<String> = words(line).into_iter().chain(self.args.iter().cloned()).collect();
        let (is_assigned, rest): (Vec<&String>, Vec<&String>) = {
            let at = words.iter().position(|word| assigned(word).is_none()).unwrap_or(words.len());
            (words[..at].iter().collect(), words[at..].iter().collect())
        };
        let has_operator = |line: &str| OPERATORS.iter().any(|operator| line.contains(operator));
        if let [cd, folder, and, command, args @ ..] = &*words
            && cd == "cd"
            && and == "&&"
            && !args.iter().any(|arg| has_operator(arg))
        {
            let args = listed(args);
            return because(format!(
                "`cd` is a shell's; write \"cwd\": {folder:?}, \"command\": {command:?}, \"args\": [{args}]"
            ));
        }
        if has_operator(line) {
            return because(format!("`command` is a line for a shell; write {}", through_sh()));
        }
        // Security: a value may be a secret, and is not repeated.
        if let Some(name) = is_assigned.first().and_then(|word| assigned(word)) {
            let is_of_args = is_assigned.len() >= words.len() - self.args.len();
            let program = match rest.first() {
                Some(command) if is_of_args => format!(", and {command:?} as `command`"),
                Some(command) => format!(", and \"command\": {command:?}"),
                None => String::new(),
            };
            return because(format!(
                "a variable before a command is a shell's; write it as \"env\": {{\"{name}\": \"…\"}}{program}"
            ));
        }
        let first = words.first().filter(|word| SHELL_WORDS.contains(&&***word))?;
        // Alone it ends before there is a server.
        if SETTING_WORDS.contains(&&**first) && !words.iter().any(|word| is_operator(word)) {
            let instead = match words.get(1).and_then(|word| assigned(word)) {
                Some(name) => format!("write what it sets as \"env\": {{\"{name}\": \"…\"}}, and"),
                None => "what it does ends with its shell;".to_owned(),
            };
            return because(format!(
                "`{first}` is a word of a shell and no program; {instead} name the program of the server as `command`"
            ));
        }
        because(format!("`{first}` is a word of a shell and no program; write {}", through_sh()))
    }

    fn command_line(&self) -> Option<Diagnosis> {
        // A path with a blank in it that is not there, rather than a program and what it is told.
        let mut parts = self.command.split_whitespace();
        if let (Some(first), Some(second)) = (parts.next(), parts.next())
            && self.system.is_absolute(first)
            && self.look.at(first) == PathKind::Nothing
            && second.contains('/')
            && !second.starts_with(['-', '/', '.', '~', '$', '"', '\''])
        {
            return None;
        }
        let mut words = words(&self.command).into_iter();
        let first = words.next()?;
        let rest: Vec<String> = words.map(|word| format!("{word:?}")).collect();
        if rest.is_empty() {
            return None;
        }
        let mut text = format!(
            "`command` holds a whole command line; write \"command\": {first:?}, \"args\": [{}]",
            rest.join(", ")
        );
        if let Some(hint) = self.command.split_whitespace().find_map(unexpanded) {
            text = format!("{text}; {hint}");
        }
        Some(because(SpawnCause::CommandLine, text))
    }

    fn foreign_system(&self) -> Option<Diagnosis> {
        let command = &*self.command;
        let text = match self.system {
            System::Unix => self.windows_form(command)?,
            System::Windows => {
                let ending = ENDINGS_OF_WINDOWS[1..].iter().find(|ending| {
                    let name = format!("{command}{ending}");
                    self.folders()
                        .any(|folder| self.look.at(&self.system.join(folder, &name)) == PathKind::Program)
                })?;
                format!(
                    "`{command}` is `{command}{ending}` here, which is found by its whole name alone: write that, or \
                     \"command\": \"cmd\", \"args\": [\"/c\", \"{command}\", ...]"
                )
            }
        };
        Some(because(SpawnCause::OtherSystem, text))
    }

    /// A command of Windows on another system.
    fn windows_form(&self, command: &str) -> Option<String> {
        let lower = command.to_ascii_lowercase();
        let stem =
            ENDINGS_OF_WINDOWS.iter().find_map(|ending| Some(&command[..lower.strip_suffix(ending)?.len()]));
        let name = stem.unwrap_or(command);
        let is_switch = |arg: &&String| arg.eq_ignore_ascii_case("/c") || arg.eq_ignore_ascii_case("/k");
        if name.eq_ignore_ascii_case("cmd") {
            let real = self.args.iter().skip_while(is_switch).find(|arg| !arg.starts_with('/'));
            return Some(match real {
                Some(real) => format!(
                    "`cmd` is the shell of Windows; here, write \"command\": {real:?} and leave out the arguments before it"
                ),
                None => "`cmd` is the shell of Windows".to_owned(),
            });
        }
        let drive = command.as_bytes().get(1) == Some(&b':') && command.as_bytes()[0].is_ascii_alphabetic();
        if drive || (command.contains('\\') && !command.contains('/')) {
            return Some(format!("`{command}` is a path of Windows"));
        }
        // A program has another name here; a script stays one of Windows.
        let is_script = [".bat", ".ps1"].iter().any(|ending| lower.ends_with(ending));
        // The one that is on other systems has a name of its own.
        let stem = stem.map(|stem| if stem.eq_ignore_ascii_case("powershell") { "pwsh" } else { stem });
        stem.map(|stem| match is_script {
            true => format!("`{command}` is a script of Windows"),
            false => format!("`{command}` is its name on Windows; here it is `{stem}`"),
        })
    }
}

/// Whether a word by itself is what a shell acts on: what stands between commands, or leads a stream elsewhere.
fn is_operator(word: &str) -> bool {
    let redirected = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
    matches!(word, "&&" | "||" | "|" | ";" | "&")
        || redirected.strip_prefix(['>', '<']).is_some_and(|rest| !rest.contains(char::is_whitespace))
}

/// The name of the variable that a word of a shell sets.
fn assigned(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    mcp_text::is_variable_name(name).then_some(name).filter(|name| !name.contains('-'))
}

/// The words of a command line: quotation marks hold blanks together, and are no part of a word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
