//! Why a command could not be started, and what to write instead.
//!
//! The system says "no such file" of a missing program, a missing interpreter, a missing folder and a spelling that another
//! host understands alike, and never says where it looked. So the same places are looked at again: the endpoint's own
//! PATH and folder, not ours. What is there comes in through [`FileSystemView`], so that the rules can be tried without files, and
//! for another system than this one.

mod link;
mod look;
mod spelling;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use mcp_status::{ProcessLack, SpawnCause};

pub(super) use self::look::{Disk, FileSystemView, PathKind};
pub(super) use self::spelling::hint;
use crate::endpoint::StdioEndpoint;

/// How many folders of a PATH are named.
const FOLDERS_SHOWN: usize = 4;
/// `ENOEXEC`, which the standard library has no kind for (the same number on Linux, macOS and the BSDs).
const NO_EXEC: i32 = 8;

/// The systems whose ways of finding a program differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum System {
    Unix,
    Windows,
}

impl System {
    pub(super) const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };

    fn separator(self) -> char {
        match self {
            Self::Unix => ':',
            Self::Windows => ';',
        }
    }

    fn is_slash(self, c: char) -> bool {
        c == '/' || (self == Self::Windows && c == '\\')
    }

    fn join(self, folder: &str, name: &str) -> String {
        match self {
            Self::Unix => format!("{}/{name}", folder.trim_end_matches('/')),
            Self::Windows => format!("{}\\{name}", folder.trim_end_matches(['/', '\\'])),
        }
    }

    fn is_absolute(self, path: &str) -> bool {
        path.starts_with(|c| self.is_slash(c)) || (self == Self::Windows && path.chars().nth(1) == Some(':'))
    }
}

/// What is wrong with a command, in words for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Diagnosis {
    pub(super) cause: SpawnCause,
    /// What is not there, where the command itself is right.
    pub(super) lack: Option<ProcessLack>,
    text: String,
}

impl Diagnosis {
    fn lacking(self, lack: ProcessLack) -> Self {
        Self { lack: Some(lack), ..self }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Diagnosis {}

fn because(cause: SpawnCause, text: impl Into<String>) -> Diagnosis {
    Diagnosis { cause, lack: None, text: text.into() }
}

/// Says why the command of `endpoint`, which would have run in `cwd`, failed to start with `error`.
pub(super) fn diagnose(
    endpoint: &StdioEndpoint,
    cwd: &str,
    error: &io::Error,
    system: System,
    look: &dyn FileSystemView,
) -> Diagnosis {
    let case = Case::new(endpoint, cwd, error, system, look);
    let Diagnosis { cause, lack, text } = case.diagnose();
    // Security: a command, a folder or a PATH may be made of variables that hold secrets.
    // And so may a path or a name that is shown as what is to be put there.
    let lack = lack.filter(|lack| matches!(endpoint.secrets.hide(&format!("{lack:?}")), Cow::Borrowed(_)));
    Diagnosis { cause, lack, text: endpoint.secrets.hide(&text).into_owned() }
}

/// What failed, and where it would have been.
struct Case<'a> {
    command: String,
    args: Vec<String>,
    path: Option<String>,
    home: Option<String>,
    cwd: &'a str,
    error: &'a io::Error,
    system: System,
    look: &'a dyn FileSystemView,
}

impl<'a> Case<'a> {
    fn new(
        endpoint: &StdioEndpoint,
        cwd: &'a str,
        error: &'a io::Error,
        system: System,
        look: &'a dyn FileSystemView,
    ) -> Self {
        let text = |text: &std::ffi::OsString| text.to_string_lossy().into_owned();
        let variable = |wanted: &str| {
            let is_it = |name: &str| match system {
                System::Unix => name == wanted,
                System::Windows => name.eq_ignore_ascii_case(wanted),
            };
            endpoint.env.iter().find(|(name, _)| is_it(&name.to_string_lossy())).map(|(_, value)| text(value))
        };
        let home = match system {
            System::Unix => variable("HOME"),
            System::Windows => variable("USERPROFILE"),
        };
        Self {
            command: text(&endpoint.command),
            args: endpoint.args.iter().map(text).collect(),
            path: variable("PATH"),
            home: home.filter(|home| !home.is_empty()),
            cwd,
            error,
            system,
            look,
        }
    }

    fn diagnose(&self) -> Diagnosis {
        self.folder()
            .or_else(|| self.unsayable())
            .or_else(|| match self.find() {
                ProgramPlace::At(path, found) => self.there(&path, found),
                ProgramPlace::Nowhere => self.spelling().or_else(|| Some(self.not_found())),
            })
            .unwrap_or_else(|| self.in_the_words_of_the_system())
    }

    /// The working directory comes first: without it, nothing else was tried.
    fn folder(&self) -> Option<Diagnosis> {
        let what = match self.look.at(self.cwd) {
            PathKind::Folder => return None,
            PathKind::Nothing => match self.broken_link(self.cwd) {
                Some(link) => format!("does not exist: {link}"),
                None => "does not exist".to_owned(),
            },
            _ => "is not a folder".to_owned(),
        };
        let mut text = format!("its working directory `{}` {what}", self.cwd);
        let tilde = self.cwd.split(|c| self.system.is_slash(c)).find(|part| *part == "~");
        if let Some(hint) = spelling::unexpanded(tilde.unwrap_or(self.cwd)) {
            text = format!("{text}: {hint}");
        }
        Some(because(SpawnCause::WorkingDirectory, text))
    }

    /// What no process can be given.
    fn unsayable(&self) -> Option<Diagnosis> {
        match self.error.kind() {
            io::ErrorKind::InvalidInput => Some(because(
                SpawnCause::Misspelt,
                "its command, its arguments or a variable has a NUL character in it",
            )),
            io::ErrorKind::ArgumentListTooLong => Some(because(
                SpawnCause::Other,
                "its arguments and its environment are longer than the system allows",
            )),
            _ => None,
        }
    }

    /// Where the command is, looked for as the system does.
    fn find(&self) -> ProgramPlace {
        let command = &*self.command;
        if command.is_empty() {
            return ProgramPlace::Nowhere;
        }
        if self.is_path() {
            return match self.look.at(&self.absolute(command)) {
                PathKind::Nothing => ProgramPlace::Nowhere,
                found => ProgramPlace::At(self.absolute(command), found),
            };
        }
        let mut second = None;
        for folder in self.folders() {
            let path = self.system.join(folder, command);
            match self.look.at(&path) {
                PathKind::Program => return ProgramPlace::At(path, PathKind::Program),
                // The search goes on after what may not be executed (POSIX, exec), and ends with it.
                PathKind::Plain if second.is_none() => second = Some(ProgramPlace::At(path, PathKind::Plain)),
                _ => {}
            }
        }
        second.unwrap_or(ProgramPlace::Nowhere)
    }

    /// The link on the way to `path` that leads to nothing, in words.
    fn broken_link(&self, path: &str) -> Option<String> {
        link::broken(path, self.system, self.look)
    }

    /// The first place of the PATH where the command is a link to nothing, in words.
    fn dangling_in_path(&self) -> Option<String> {
        let mut paths = self.folders().map(|folder| self.system.join(folder, &self.command));
        paths.find_map(|path| link::dangling(&path, self.system, self.look))
    }

    fn is_path(&self) -> bool {
        self.command.contains(|c| self.system.is_slash(c))
    }

    fn absolute(&self, path: &str) -> String {
        if self.system.is_absolute(path) {
            return path.to_owned();
        }
        self.system.join(self.cwd, path.strip_prefix("./").unwrap_or(path))
    }

    /// An empty one means the working directory, and is left out: not one was meant.
    fn folders(&self) -> impl Iterator<Item = &str> {
        let path = self.path.as_deref().unwrap_or_default();
        path.split(self.system.separator()).filter(|folder| !folder.is_empty())
    }

    /// It is there, and could not be started all the same.
    fn there(&self, path: &str, found: PathKind) -> Option<Diagnosis> {
        match found {
            PathKind::Folder => Some(because(
                SpawnCause::NotAProgram,
                format!("{} is a folder; `command` is the program in it", self.shown(path)),
            )),
            // What cannot be executed by itself is not made executable.
            PathKind::Plain if !is_executable_once_allowed(&self.look.head(path)) => {
                Some(because(
                    SpawnCause::NotExecutable,
                    format!(
                        "{} may not be executed, and has no `#!` line: name the program that reads it as `command`",
                        self.shown(path)
                    ),
                ))
            }
            PathKind::Plain => Some(because(
                SpawnCause::NotExecutable,
                format!(
                    "{} may not be executed: run `chmod +x {path}`, or name the program that reads it as `command`",
                    self.shown(path)
                ),
            )
            .lacking(ProcessLack::Permission { path: path.to_owned() })),
            PathKind::Program => self.unusable(path),
            PathKind::Nothing => None,
        }
    }

    /// A program that the system refuses to run: its first bytes tell why.
    fn unusable(&self, path: &str) -> Option<Diagnosis> {
        let head = self.look.head(path);
        let refused =
            self.error.kind() == io::ErrorKind::NotFound || self.error.raw_os_error() == Some(NO_EXEC);
        if let Some(first) = head.strip_prefix(b"#!") {
            let line = String::from_utf8_lossy(first.split(|byte| *byte == b'\n').next().unwrap_or_default())
                .into_owned();
            let interpreter = line.trim_start_matches([' ', '\t']);
            let interpreter = interpreter.split([' ', '\t', '\r']).next().unwrap_or_default();
            let said = format!("the first line of `{path}` asks for `{interpreter}`");
            return match self.look.at(interpreter) {
                _ if line.ends_with('\r') => Some(because(
                    SpawnCause::Interpreter,
                    format!(
                        "{said} with a carriage return behind it, so it was saved with the line ends of Windows: save it with LF"
                    ),
                )),
                PathKind::Nothing => {
                    let missing = match self.broken_link(interpreter) {
                        Some(link) => format!("{said}, but {link}"),
                        None => format!("{said}, which is not there"),
                    };
                    Some(because(
                        SpawnCause::Interpreter,
                        format!("{missing}: change that line, or name the interpreter as `command`"),
                    ))
                }
                PathKind::Folder | PathKind::Plain => {
                    Some(because(SpawnCause::Interpreter, format!("{said}, which may not be executed")))
                }
                PathKind::Program => self.refused(path),
            };
        }
        if !refused {
            return self.refused(path);
        }
        let text = match head {
            _ if head.starts_with(b"\x7fELF") && self.error.kind() == io::ErrorKind::NotFound => format!(
                "`{path}` needs a loader that is not here: it was built for another system, or another C library"
            ),
            _ if head.starts_with(b"MZ") => format!("`{path}` is a program for Windows"),
            _ if is_mach(&head) || head.starts_with(b"\x7fELF") => {
                format!("`{path}` was built for another system or processor")
            }
            _ if head.starts_with(b"\xef\xbb\xbf#!") => {
                format!("`{path}` begins with a byte order mark, which hides its `#!` line: save it without")
            }
            _ if head.is_empty() => format!("`{path}` is empty"),
            _ => format!(
                "`{path}` has no `#!` line that says what runs it: add one, or name that program as `command`"
            ),
        };
        Some(because(SpawnCause::NotAProgram, text))
    }

    fn shown(&self, path: &str) -> String {
        link::shown(path, self.system, self.look)
    }

    fn refused(&self, path: &str) -> Option<Diagnosis> {
        (self.error.kind() == io::ErrorKind::PermissionDenied).then(|| {
            because(
                SpawnCause::NotExecutable,
                format!("the system does not let `{path}` run here: its volume is mounted without that, or a policy forbids it"),
            )
        })
    }

    fn not_found(&self) -> Diagnosis {
        let command = &*self.command;
        if self.is_path() {
            if let Some(link) = self.broken_link(&self.absolute(command)) {
                return because(SpawnCause::NotFound, link);
            }
            if self.error.kind() == io::ErrorKind::PermissionDenied {
                let text = format!("`{command}` is in a folder that may not be looked into here");
                return because(SpawnCause::NotExecutable, text);
            }
            if self.system.is_absolute(command) {
                return because(SpawnCause::NotFound, format!("there is no `{command}`"));
            }
            let place = format!("there is no `{command}` in its working directory `{}`", self.cwd);
            let path = self.absolute(command);
            return because(SpawnCause::NotFound, place).lacking(ProcessLack::File { path });
        }
        let mut text = format!("`{command}` is {}", self.searched());
        if let Some(link) = self.dangling_in_path() {
            text = format!("{link}; {text}");
        }
        if let Some(path) = self.elsewhere(command) {
            text.push_str(&format!("; it is `{path}`: write that as `command`"));
        } else if let Some(other) = self.relative(command) {
            text.push_str(&format!("; `{other}` is"));
        } else if let Some(package) = spelling::package_of(command) {
            text.push_str(&format!("; it comes with {package}"));
            let package = package.to_owned();
            return because(SpawnCause::NotFound, text).lacking(ProcessLack::Program { package });
        }
        because(SpawnCause::NotFound, text)
    }

    /// Where it was looked for.
    fn searched(&self) -> String {
        // A PATH grows by what is in it already.
        let mut folders: Vec<&str> = Vec::new();
        for folder in self.folders() {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        match (&self.path, folders.len()) {
            (None, _) => "looked for in vain: no PATH is set for it".to_owned(),
            (_, 0) => "looked for in vain: its PATH is empty".to_owned(),
            (_, count) => {
                let shown = folders.iter().take(FOLDERS_SHOWN).copied().collect::<Vec<_>>().join(" ");
                match count.saturating_sub(FOLDERS_SHOWN) {
                    0 => format!("in no folder of its PATH ({shown})"),
                    more => format!("in no folder of its PATH ({shown} and {more} more)"),
                }
            }
        }
    }

    /// Where people have it, of the places that a shell knows and a program started from a desktop does not.
    fn elsewhere(&self, command: &str) -> Option<String> {
        let known: Vec<&str> = self.folders().collect();
        let mut folders = Vec::new();
        for place in spelling::places(self.system) {
            let place = match (place.strip_prefix("~"), &self.home) {
                (Some(rest), Some(home)) => format!("{home}{rest}"),
                (Some(_), None) => continue,
                (None, _) => (*place).to_owned(),
            };
            match place.split_once("/*/") {
                // The versions of a version manager: the newest by name, near enough.
                Some((before, after)) => {
                    let mut versions = self.look.names(before);
                    versions.sort();
                    folders
                        .extend(versions.iter().rev().map(|version| format!("{before}/{version}/{after}")));
                }
                None => folders.push(place),
            }
        }
        let wanted = folders.iter().filter(|folder| !known.contains(&folder.as_str()));
        let mut paths = wanted.map(|folder| self.system.join(folder, command));
        paths.find(|path| self.look.at(path) == PathKind::Program)
    }

    /// The same program under the name that it has here.
    fn relative(&self, command: &str) -> Option<&'static str> {
        let is_there = |name: &str| {
            self.folders().any(|folder| self.look.at(&self.system.join(folder, name)) == PathKind::Program)
        };
        spelling::relatives(command).find(|name| is_there(name))
    }

    fn in_the_words_of_the_system(&self) -> Diagnosis {
        let words = self.error.to_string();
        // The number says nothing that the words do not.
        let words = words.split(" (os error").next().unwrap_or_default();
        because(SpawnCause::Other, format!("`{}`: {}", self.command, words.to_lowercase()))
    }
}

enum ProgramPlace {
    At(String, PathKind),
    Nowhere,
}

/// Whether this begins like something that a system can execute. What cannot be read may be.
fn is_executable_once_allowed(head: &[u8]) -> bool {
    head.is_empty()
        || head.starts_with(b"#!")
        || head.starts_with(b"\x7fELF")
        || head.starts_with(b"MZ")
        || is_mach(head)
}

/// The magic numbers of Mach-O, thin and fat, in both byte orders.
fn is_mach(head: &[u8]) -> bool {
    [[0xfe, 0xed, 0xfa, 0xce], [0xfe, 0xed, 0xfa, 0xcf], [0xca, 0xfe, 0xba, 0xbe]]
        .iter()
        .any(|magic| head.starts_with(magic) || head.starts_with(&[magic[3], magic[2], magic[1], magic[0]]))
}
