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
        let hint = whole(value).then(|| unexpanded(value)).flatten()?;
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
        Some(format!(
            "`{program} run` with `-d` leaves the server in the background: write `-i` in its place"
        ))
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
        self.foreign_system().or_else(|| self.in_quotes()).or_else(|| self.command_line()).or_else(|| {
            unexpanded(command).map(|hint| because(SpawnCause::Unexpanded, format!("`{command}`: {hint}")))
        })
    }

    fn in_quotes(&self) -> Option<Diagnosis> {
        let command = &*self.command;
        let bare = command.trim_matches(['"', '\'', ' ', '\t', '\n', '\r', '\u{a0}']);
        if bare == command {
            return None;
        }
        let what = if command.contains(['"', '\'']) { "quotes" } else { "blanks" };
        let text = format!("the {what} around `{bare}` are part of the name; write it without");
        // More than one word is told about as a whole.
        (!bare.contains(char::is_whitespace) || what == "quotes" && !bare.contains(['"', '\'']))
            .then(|| because(SpawnCause::Misspelt, text))
    }

    fn command_line(&self) -> Option<Diagnosis> {
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
        stem.map(|stem| format!("`{command}` is its name on Windows; here it is `{stem}`"))
    }
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
